"""Randomness of a split: one stream a question, so that asking another question changes no answer."""

import hashlib

import numpy as np


def generator(seed: int, what: str) -> np.random.Generator:
    """Numbers that depend on the seed and on the name of the relation or field alone."""
    digest = hashlib.sha256(f"{seed} {what}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))
