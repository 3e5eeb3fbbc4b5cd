"""Baselines of ratings, one a file."""
