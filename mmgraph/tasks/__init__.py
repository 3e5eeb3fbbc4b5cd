"""What is asked of the graph: head, loss, metrics."""
