"""A kind without features is described by the mean of its visible neighbours' ones, computed the slow way here."""

import numpy as np
from graph_made import CONTAINS, made

from mmgraph.evaluate.baselines.linked import features_for_labels

GRAPH, SPLIT = made()


def test_own_features_are_taken_as_they_are():
    own = features_for_labels(SPLIT.visible, "segment")
    assert list(own) == ["image"]
    assert own["image"] is SPLIT.visible.features["segment", "image"]


def test_borrowed_features_are_the_mean_of_the_neighbours():
    borrowed = features_for_labels(SPLIT.visible, "video")["linked_image"]
    of_segments = SPLIT.visible.features["segment", "image"]
    edges = SPLIT.visible.edges[CONTAINS]
    for video in range(SPLIT.visible.count("video")):
        rows = [s for v, s in zip(edges.source, edges.target, strict=True) if v == video and of_segments.present[s]]
        assert borrowed.present[video] == bool(rows)
        if rows:
            np.testing.assert_allclose(borrowed.vectors[video], of_segments.vectors[rows].mean(0), rtol=1e-5, atol=1e-6)


def test_nothing_to_borrow():
    assert features_for_labels(SPLIT.visible.with_edges({}), "video") == {}
