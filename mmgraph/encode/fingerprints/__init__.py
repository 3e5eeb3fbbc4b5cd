"""What a picture or sound looks like, small enough to keep: copies that were compressed, resized or trimmed are found by it."""
