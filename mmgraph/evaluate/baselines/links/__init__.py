"""Link baselines, one a file."""
