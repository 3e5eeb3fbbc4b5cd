"""Importers, one a file."""
