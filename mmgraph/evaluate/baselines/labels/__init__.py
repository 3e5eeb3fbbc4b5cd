"""Label baselines, one a file."""
