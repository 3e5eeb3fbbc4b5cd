"""Simple methods that often win."""
