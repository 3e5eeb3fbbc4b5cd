"""Scores -> metrics with intervals, beside baselines."""
