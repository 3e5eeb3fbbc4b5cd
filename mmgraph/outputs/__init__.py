"""A run -> predictions, embeddings, report."""
