"""Folder or tables -> Catalogue: items, links and labels, checked once."""
