"""A path and a span -> a clip; videos -> segments."""
