"""Scorers of links, one a file."""
