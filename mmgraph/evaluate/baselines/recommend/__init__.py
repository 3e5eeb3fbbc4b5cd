"""Baselines of recommendations alone, one a file; those of links stand beside them."""
