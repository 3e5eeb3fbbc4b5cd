"""Ways to find clusters, one a file."""
