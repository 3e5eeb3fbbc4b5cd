"""A small made graph with times: who watched which video when, and what follows what."""

import numpy as np

from mmgraph.graph.contract import Edges, Graph
from mmgraph.types import Relation

WATCHED = Relation("user", "watched", "video")
FOLLOWS = Relation("video", "follows", "video")
MADE_BY = Relation("video", "made_by", "user")


def timed(links=60, users=8, videos=12, seed=0):
    """Some links of unknown time, some at the same moment; two chains of six videos with gaps, one of them unknown."""
    rng = np.random.default_rng(seed)
    pairs = np.sort(rng.permutation(users * videos)[:links])
    time = rng.integers(0, 25, links).astype(np.float64) + 1.7e9
    time[rng.permutation(links)[:3]] = np.nan
    watched = Edges(WATCHED, pairs // videos, pairs % videos, time=time)
    before = np.array([i for i in range(videos - 1) if i % 6 != 5])
    gap = rng.normal(size=len(before)).astype(np.float32) * 100
    gap[1] = np.nan
    follows = Edges(FOLLOWS, before, before + 1, gap_s=gap, temporal=True)
    made_by = Edges(MADE_BY, np.arange(videos), rng.integers(0, users, videos))
    ids = {"user": np.array([f"u{i}" for i in range(users)]), "video": np.array([f"v{i}" for i in range(videos)])}
    return Graph(ids, {WATCHED: watched, FOLLOWS: follows, MADE_BY: made_by})
