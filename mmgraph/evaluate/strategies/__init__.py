"""Which items a person should label next; one file each."""
