"""Graph -> train, valid and test; checked for leaks."""
