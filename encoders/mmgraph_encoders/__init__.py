"""Adapters to pretrained weights, and weight-free classics."""
