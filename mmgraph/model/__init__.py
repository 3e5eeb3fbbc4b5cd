"""Batches -> item embeddings -> scores."""
