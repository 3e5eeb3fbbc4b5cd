"""What keeps the vectors of scored links small, one a file."""
