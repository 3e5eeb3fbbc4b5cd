"""From raw media to predicted links."""
