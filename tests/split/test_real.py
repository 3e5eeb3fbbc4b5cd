"""The exercises as they are: a graph, its splits, and no leak."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from mmgraph.catalogue.contract import Catalogue, items_frame, labels_frame, links_frame
from mmgraph.graph.build import build
from mmgraph.graph.contract import Features
from mmgraph.graph.edges.attached import Attached
from mmgraph.graph.edges.contains import Contains
from mmgraph.graph.edges.follows import Follows
from mmgraph.graph.edges.similar import Similar
from mmgraph.graph.heterograph import load, save, to_dgl
from mmgraph.settings import LabelSplitSettings, SplitSettings
from mmgraph.split.leaks import check
from mmgraph.split.make import make
from mmgraph.types import Relation

TARGETS = [
    Relation("image", "follows", "image"),
    Relation("exercise", "works", "muscle"),
    Relation("exercise", "shown_in", "image"),
]


@pytest.mark.real
def test_exercises_split_without_a_leak(shared, tmp_path):
    items, links, labels = (pd.read_csv(shared / f"data/exercises/{name}.csv") for name in ("items", "links", "labels"))
    records = (frame.to_dict("records") for frame in (items, links, labels))
    catalogue = Catalogue(
        *(frame(rows) for frame, rows in zip((items_frame, links_frame, labels_frame), records, strict=True))
    )
    vectors = np.repeat(np.random.default_rng(0).normal(size=(873, 16)), 2, axis=0)  # photos of one exercise look alike
    photos = Features(vectors.astype(np.float32), np.ones(1746, bool))
    graph = build(catalogue, {("image", "image"): photos}, [Follows(), Contains(), Attached(), Similar(k=5)])
    assert {str(relation): len(edges) for relation, edges in graph.edges.items()} == {
        "image/follows/image": 873,
        "exercise/shown_in/image": 1746,
        "exercise/described_by/text": 873,
        "exercise/works/muscle": 873,
        "exercise/uses/equipment": 796,
        "exercise/helps/muscle": 1710,
        "image/similar_image/image": 8730,
    }
    fields = [("exercise", name) for name in ("category", "level", "force", "mechanic")]
    settings = SplitSettings(labels=LabelSplitSettings(k=10))
    split = make(graph, TARGETS, fields, settings, 7)
    check(graph, split, settings)
    assert [len(split.links[target].test) for target in TARGETS] == [175, 175, 349]
    shown = split.labels["exercise.category"]
    assert set(Counter(shown.labels.values[shown.train].tolist()).values()) == {10}
    assert len(shown.train) + len(shown.valid) + len(shown.test) == 873
    save(graph, tmp_path)
    assert to_dgl(load(tmp_path)).num_edges() == 2 * sum(map(len, graph.edges.values()))
