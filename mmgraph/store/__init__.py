"""Vectors -> memory-mapped features by content and encoder card."""
