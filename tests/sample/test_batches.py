"""Batches hold what they should: predicted links are not passed over, negatives are no train links, rows mean what they say."""

import numpy as np
import pytest
import torch
from graph_made import CONTAINS, FOLLOWS, made
from hypothesis import given
from hypothesis import strategies as st

from mmgraph.model.negatives.in_batch import InBatch
from mmgraph.model.negatives.uniform import Uniform
from mmgraph.sample.full import FullGraphBatches
from mmgraph.sample.neighbours import NeighbourBatches
from mmgraph.sample.questions import AskedLabels, AskedLinks

GRAPH, SPLIT = made()
VISIBLE = SPLIT.visible


def asked(negatives=None):
    train = VISIBLE.edges[FOLLOWS]
    count = VISIBLE.count("segment")
    links = AskedLinks("follows", FOLLOWS, train.source, train.target, count, count, negatives or Uniform(num=30))
    shown = SPLIT.labels["segment.category"]
    return [links], [AskedLabels("segment.category", "segment", shown.train, shown.labels.values[shown.train])]


def edges_of(adjacency):
    return set(zip(adjacency.sources.tolist(), adjacency.targets.tolist(), strict=True))


def full(epoch=0, **other):
    links, labels = asked(**other)
    return next(iter(FullGraphBatches(VISIBLE, 2, links, labels, 0.3, seed=1, epoch=epoch)))


def test_full_batch_withholds_what_it_predicts_and_the_reverse():
    batch = full()
    links = batch.links["follows"]
    predicted = set(zip(links.source.tolist(), links.target.tolist(), strict=True))
    train = VISIBLE.edges[FOLLOWS]
    known = set(zip(train.source.tolist(), train.target.tolist(), strict=True))
    assert len(predicted) == round(0.3 * len(known))
    passed = edges_of(batch.blocks[0].relations[FOLLOWS])
    assert passed == known - predicted
    assert {(t, s) for s, t in edges_of(batch.blocks[0].relations[FOLLOWS.reverse])} == passed
    assert len(edges_of(batch.blocks[0].relations[CONTAINS])) == len(VISIBLE.edges[CONTAINS])


def test_both_statements_of_an_undirected_link_are_withheld():
    links, _ = asked()
    one = AskedLinks("f", FOLLOWS, np.array([0, 1, 2, 5]), np.array([1, 0, 3, 5]), 9, 9, Uniform())
    assert one.withheld(np.array([0])).tolist() == [0, 1]
    assert one.withheld(np.array([2])).tolist() == [2]
    assert one.withheld(np.array([3])).tolist() == [3]
    assert links[0].withheld(np.array([0])).tolist() == [0]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), unique=True, max_size=14), st.data())
def test_the_other_statements_are_found_by_looking_at_all(pairs, data):
    source, target = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    one = AskedLinks("f", FOLLOWS, source, target, 5, 5, Uniform())
    for _ in range(2):
        chosen = data.draw(st.sets(st.sampled_from(range(len(pairs))))) if pairs else set()
        stated = {pairs[place] for place in chosen}
        expected = [place for place, (a, b) in enumerate(pairs) if (a, b) in stated or (b, a) in stated]
        assert one.withheld(np.array(sorted(chosen), np.int64)).tolist() == expected


@pytest.mark.parametrize("negatives", [Uniform(num=30), InBatch(), InBatch(extra=5)])
def test_negatives_are_no_train_links_and_not_the_item_itself(negatives):
    links = full(negatives=negatives).links["follows"]
    train = VISIBLE.edges[FOLLOWS]
    known = set(zip(train.source.tolist(), train.target.tolist(), strict=True))
    for i, (source, target) in enumerate(zip(links.source.tolist(), links.target.tolist(), strict=True)):
        for j, other in enumerate(links.other_targets.tolist()):
            assert links.is_link[i, j].item() == ((source, other) in known or source == other)
        for j, other in enumerate(links.other_sources.tolist()):
            assert links.is_link_source[i, j].item() == ((other, target) in known or target == other)


def test_same_epoch_same_batch_other_epoch_other_batch():
    first, again, other = full().links["follows"], full().links["follows"], full(epoch=1).links["follows"]
    assert torch.equal(first.source, again.source)
    assert torch.equal(first.other_targets, again.other_targets)
    assert not torch.equal(first.source, other.source)


def sampled(size=16, epoch=0):
    links, labels = asked()
    return NeighbourBatches(VISIBLE, (4, 3), links, labels, size, seed=1, epoch=epoch)


def test_sampled_batches_never_hold_what_they_predict():
    batches = sampled()
    train = VISIBLE.edges[FOLLOWS]
    seen = []
    for batch in batches:
        links = batch.links["follows"]
        items = batch.inputs.items["segment"].numpy()
        predicted = {(items[s], items[t]) for s, t in zip(links.source, links.target, strict=True)}
        seen += sorted(predicted)
        for block in batch.blocks:
            forward = block.relations.get(FOLLOWS)
            backward = block.relations.get(FOLLOWS.reverse)
            assert not forward or not predicted & {(items[s], items[t]) for s, t in edges_of(forward)}
            assert not backward or not predicted & {(items[t], items[s]) for s, t in edges_of(backward)}
    known = set(zip(train.source.tolist(), train.target.tolist(), strict=True))
    assert set(seen) == known, "an epoch asks every train link"


def test_sampled_rows_are_the_items_they_say():
    batch = sampled().batch(0)
    items = batch.inputs.items["segment"].numpy()
    given = VISIBLE.features["segment", "image"]
    np.testing.assert_array_equal(batch.inputs.features["segment", "image"].vectors.numpy(), given.vectors[items])
    labelled = batch.labels["segment.category"]
    np.testing.assert_array_equal(
        labelled.classes.numpy(), SPLIT.labels["segment.category"].labels.values[items[labelled.items.numpy()]]
    )
    videos = batch.inputs.items["video"].numpy()
    for source, target in edges_of(batch.blocks[0].relations[CONTAINS]):
        assert items[target] // 5 == videos[source]


def test_sampled_blocks_fit_each_other_and_keep_the_fanout():
    batch = sampled().batch(0)
    first, last = batch.blocks
    assert {k: len(v) for k, v in batch.inputs.items.items()}["segment"] >= first.num_targets["segment"]
    assert first.num_targets["segment"] >= last.num_targets["segment"]
    for block, fanout in ((first, 4), (last, 3)):
        for adjacency in block.relations.values():
            assert int(adjacency.degree.max()) <= fanout


def test_sampling_repeats_and_does_not_depend_on_the_order_of_batches():
    one, two = sampled(), sampled()
    two.batch(2)
    a, b = one.batch(1), two.batch(1)
    assert torch.equal(a.inputs.items["segment"], b.inputs.items["segment"])
    assert torch.equal(a.blocks[0].relations[FOLLOWS].sources, b.blocks[0].relations[FOLLOWS].sources)
