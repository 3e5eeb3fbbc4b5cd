"""Edge builders, one a file."""
