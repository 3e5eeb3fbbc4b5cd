"""Repeated pairs, against a plain loop."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmgraph.graph.contract import Edges
from mmgraph.graph.merge import newest
from mmgraph.types import Relation

RATED = Relation("user", "rated", "film")
rows = st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from([0.0, 1.0, 5.0, np.nan]))


@given(st.lists(rows, max_size=12), st.booleans())
def test_of_a_pair_the_newest_row_stays(some, timed):
    source, target, time = (np.array([row[i] for row in some]) for i in range(3))
    edges = Edges(
        RATED,
        source.astype(np.int64),
        target.astype(np.int64),
        time=time.astype(np.float64) if timed else None,
        weight=np.arange(len(some), dtype=np.float32),
    )
    kept = {}
    for place, (one, other, moment) in enumerate(some):
        age = (-np.inf if np.isnan(moment) else moment) if timed else 0.0
        if (one, other) not in kept or age >= kept[one, other][0]:
            kept[one, other] = (age, place)
    found = newest(edges)
    assert found.weight.tolist() == sorted(place for _, place in kept.values())
