"""Recommendations as whole lists: asked of users, measured by user."""
