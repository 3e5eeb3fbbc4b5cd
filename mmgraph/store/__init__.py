"""Features: memory-mapped vectors, keyed by the content of what was encoded and by the card of its encoder."""
