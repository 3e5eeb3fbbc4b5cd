"""Ratings: how much a user will like an item, as a number on a scale."""
