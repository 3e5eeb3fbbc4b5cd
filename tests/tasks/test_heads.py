"""What a head reports on validation is what the slow, obvious computation gives."""

import dataclasses

import numpy as np
import pytest
import torch
from graph_made import FOLLOWS, made

from mmgraph.errors import SplitError
from mmgraph.model.losses.info_nce import InfoNCE
from mmgraph.model.scorers.dot import Dot
from mmgraph.settings import ModelSettings
from mmgraph.tasks.heads import Compare, LabelHead, LinkHead
from mmgraph.tasks.kinds.categories import Categories
from mmgraph.tasks.kinds.links import Links
from mmgraph.tasks.label_loss import LabelLoss

GRAPH, SPLIT = made()


def slow_mrr(scores, edges, split):
    """Rank by rank, link by link, in both directions."""
    seen = np.concatenate([split.train, split.valid])
    known = set(zip(edges.source[seen].tolist(), edges.target[seen].tolist(), strict=True))
    found = []
    for edge in split.valid:
        s, t = int(edges.source[edge]), int(edges.target[edge])
        others = [c for c in range(len(scores)) if c not in (s, t) and (s, c) not in known]
        found.append(
            1 / (1 + sum(scores[s, c] > scores[s, t] for c in others) + sum(scores[s, c] == scores[s, t] for c in others) / 2)
        )
        others = [c for c in range(len(scores)) if c not in (s, t) and (c, t) not in known]
        found.append(
            1 / (1 + sum(scores[c, t] > scores[s, t] for c in others) + sum(scores[c, t] == scores[s, t] for c in others) / 2)
        )
    return np.mean(found)


@pytest.mark.parametrize("rounded", [False, True], ids=["distinct", "tied"])
def test_validation_mrr(rounded):
    split = SPLIT.links[FOLLOWS]
    torch.manual_seed(0)
    head = LinkHead("follows", split, SPLIT.visible, Compare(Dot(4, heads=False), InfoNCE()), 1.0)
    rows = torch.randn(100, 4)
    rows = rows.round() if rounded else rows
    scores = (rows @ rows.T / 2).numpy()
    assert head.validate({"segment": rows})["mrr"] == pytest.approx(slow_mrr(scores, split.edges, split), rel=1e-5)


def test_label_head():
    shown = SPLIT.labels["segment.category"]
    head = LabelHead(shown, 4, 1.0, LabelLoss.of(shown))
    rows = torch.randn(100, 4)
    probabilities = head.probabilities({"segment": rows})
    assert probabilities.shape == (100, 3)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(100))
    right = probabilities.argmax(1).numpy()[shown.valid] == shown.labels.values[shown.valid]
    assert head.validate({"segment": rows})["accuracy"] == pytest.approx(right.mean())


def test_a_field_that_nothing_carries():
    with pytest.raises(
        SplitError, match="no item has a label of this field; given: any kind.colour; fields with labels: segment.category"
    ):
        Categories(field="colour").fields(GRAPH)
    with pytest.raises(SplitError, match="video.category"):
        Categories(field="category", kind="video").fields(GRAPH)
    assert Categories(field="category").heads(SPLIT, ModelSettings())[0].name == "segment.category"


def test_a_scorer_without_direction_is_named_where_the_relation_says_what_comes_next(caplog):
    edges = dataclasses.replace(SPLIT.links[FOLLOWS].edges, temporal=True)
    split = dataclasses.replace(SPLIT, links={FOLLOWS: dataclasses.replace(SPLIT.links[FOLLOWS], edges=edges)})
    Links(relation=str(FOLLOWS)).heads(split, ModelSettings(width=4))
    assert caplog.text == ""
    Links(relation=str(FOLLOWS), scorer="dist_mult").heads(split, ModelSettings(width=4))
    assert f"{FOLLOWS}: this scorer gives a link and its reverse one score" in caplog.text
