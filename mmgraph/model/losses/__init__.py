"""Losses of links, one a file."""
