"""Clips -> vectors, by an Encoder."""
