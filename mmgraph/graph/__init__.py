"""Catalogue and features -> one heterograph."""
