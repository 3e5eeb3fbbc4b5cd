"""Seeded randomness: each thing has a stream of its own, so that neither order nor number of workers matters."""

import zlib

import numpy as np

from mmgraph.types import Times


def stream(seed: int, what: str, index: int = 0) -> np.random.Generator:
    """The generator of one thing, e.g. the pixels of video 3; the same for the same three arguments."""
    return np.random.default_rng([seed, zlib.crc32(what.encode()), index])


def spread(count: int, chance: np.random.Generator) -> Times:
    """Points that cover the unit square evenly, float [count, 2], in random order.

    The R2 sequence (M. Roberts 2018, "The unreasonable effectiveness of quasirandom sequences") with a random shift.
    """
    golden = 1.324717957244746  # the real root of x^3 = x + 1
    steps = np.arange(count)[:, None] * np.array([1 / golden, 1 / golden**2])
    return chance.permutation((steps + chance.random(2)) % 1.0)
