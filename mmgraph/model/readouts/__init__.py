"""Readouts, one a file: the vectors of an item's parts -> one vector."""
