"""Split -> batches: the full graph, or neighbours of seeds."""
