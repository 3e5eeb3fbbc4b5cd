"""Labels of wholes, read out from their parts: videos of segments, small graphs of nodes."""

import dataclasses

import numpy as np
import pytest
import torch
from graph_made import CONTAINS, made

from mmgraph import pipeline
from mmgraph.errors import SplitError
from mmgraph.evaluate.answers import answer
from mmgraph.graph.contract import Edges, Features, Graph, Labels
from mmgraph.model.train import train
from mmgraph.sample.members import Members, members
from mmgraph.settings import BatchSettings, Component, EvaluateSettings, ModelSettings, Settings
from mmgraph.split.contract import LabelSplit, Split
from mmgraph.tasks.kinds.graph_categories import GraphCategories
from mmgraph.types import Relation

HOLDS = Relation("molecule", "holds", "atom")
BOND = Relation("atom", "bond", "atom")


def molecules(count=60, seed=0):
    """(graph, split): molecules of 3 to 6 atoms in a chain; one is active where an atom of a rare sort is among them. What is on the
    mean of the atoms is mostly noise.
    """
    rng = np.random.default_rng(seed)
    sizes = rng.integers(3, 7, count)
    molecule = np.repeat(np.arange(count), sizes)
    active = rng.permutation(count) % 2
    vectors = rng.normal(size=(len(molecule), 6)).astype(np.float32)
    first = np.cumsum(sizes) - sizes
    vectors[:, 0] = 0.0
    vectors[first[active == 1] + rng.integers(0, 3, active.sum()), 0] = 1.0
    start = np.flatnonzero(molecule[:-1] == molecule[1:])
    edges = {
        HOLDS: Edges(HOLDS, molecule, np.arange(len(molecule))),
        BOND: Edges(BOND, start, start + 1),
    }
    labels = Labels("molecule", "active", ("no", "yes"), active.astype(np.int64))
    ids = {"molecule": np.array([f"m{i}" for i in range(count)]), "atom": np.array([f"a{i}" for i in range(len(molecule))])}
    graph = Graph(
        ids, edges, {("atom", "text"): Features(vectors, np.ones(len(vectors), bool))}, {("molecule", "active"): labels}
    )
    train_, valid, test = np.split(rng.permutation(count), [count // 3, count // 2])
    split = LabelSplit(labels, *(np.sort(one) for one in (train_, valid, test)))
    return graph, Split({}, {labels.target: split}, graph)


def asked(readout="mean", **more):
    return GraphCategories(field="active", kind="molecule", over="atom", readout=readout, **more)


def built(split, task, mode="full", **model):
    settings = Settings(
        catalogue="tables",
        model=ModelSettings(
            width=16, depth=1, dropout=0.0, modality_dropout=0.0, id_embedding="none",
            batches=BatchSettings(mode=mode, size=64, fanouts=(99,)), **model,
        ),
    )  # fmt: skip
    return pipeline.built(settings, split, [task], {}), settings


def test_members_are_the_pairs_that_were_given():
    whole, part = np.array([2, 0, 2]), np.array([5, 1, 3])
    found = Members.of_pairs("atom", whole, part, 4)
    assert [found.of(np.array([i]))[0].tolist() for i in range(4)] == [[1], [], [5, 3], []]
    adjacency = found.adjacency(np.array([2, 1, 0]), np.array([1, 3, 5]), 3)
    assert adjacency.indptr.tolist() == [0, 2, 2, 3]
    assert adjacency.sources.tolist() == [2, 1, 0]


def test_parts_are_children_or_what_a_relation_joins():
    graph, _ = made(videos=3)
    children = members(graph, "video", "segment")
    joined = members(graph, "video", "segment", str(CONTAINS))
    without = dataclasses.replace(graph, parent={})
    for found in (joined, members(without, "video", "segment")):
        np.testing.assert_array_equal(found.indptr, children.indptr)
        np.testing.assert_array_equal(found.parts, children.parts)
    back = Relation("segment", "part_of", "video")
    turned = without.with_edges({back: Edges(back, np.arange(15), np.arange(15) // 5)})
    np.testing.assert_array_equal(members(turned, "video", "segment").parts, children.parts)
    kinds = np.array(["video"] * 5 + ["album"] * 10, dtype=object)
    mixed = members(dataclasses.replace(graph, parent_kind={"segment": kinds}), "video", "segment")
    assert mixed.count.tolist() == [5, 0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"field": "colour"}, "no item has a label of this field; given: molecule.colour; fields with labels: molecule.active"),
        ({"over": "bond"}, "no item of kind molecule has children of kind bond; given: over: bond; relations between the two: none"),
        ({"relation": "atom/bond/atom"}, "no such relation joins molecule with atom; given: atom/bond/atom; .*molecule/holds/atom"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked(change, message):
    graph, _ = molecules(6)
    with pytest.raises(SplitError, match=message):
        dataclasses.replace(asked(), **change).fields(graph)


def test_a_whole_has_one_value():
    graph, _ = molecules(6)
    several = {key: one.as_several() for key, one in graph.labels.items()}
    with pytest.raises(
        SplitError, match="a whole has one value of a field, and some molecule have several values of active; ask"
    ):
        asked().fields(dataclasses.replace(graph, labels=several))


def test_wholes_without_parts_are_not_trained_on_and_all_get_one_answer():
    graph, split = molecules(12)
    held = graph.edges[HOLDS]
    (one,) = split.labels.values()
    empty = np.concatenate([one.train[:2], one.test[:1]])
    seen = graph.with_edges({**graph.edges, HOLDS: held.take(~np.isin(held.source, empty))})
    split = dataclasses.replace(split, visible=seen)
    (labels,) = asked().asked_labels(split)
    assert labels.items.tolist() == one.train[2:].tolist()
    (module, data), _ = built(split, asked("set2set"))
    rows = module.network(data.whole)
    chances = module.all_heads[0].probabilities(rows)
    assert len(np.unique(chances[empty].numpy().round(5), axis=0)) == 1
    nothing = seen.with_edges({**seen.edges, HOLDS: held.take(~np.isin(held.source, one.train))})
    with pytest.raises(SplitError, match="no molecule with a train label has parts of kind atom; given: 4 labels"):
        asked().asked_labels(dataclasses.replace(split, visible=nothing))


@pytest.mark.parametrize("readout", ["mean", "max", "attention", "set2_set"])
def test_sampled_batches_ask_what_the_full_graph_asks(readout):
    """With every neighbour drawn, the loss of one batch of all labels is that of the full graph, and so is its gradient."""
    _, split = molecules(12)
    found = []
    for mode in ("full", "neighbours"):
        (module, data), _ = built(split, asked(readout), mode)
        module.eval()
        (batch,) = list(data.batches)
        head = module.all_heads[0]
        loss = head.loss(module.network(batch), batch)
        loss.backward()
        order = batch.labels[head.name].classes
        found.append((loss.item(), order.bincount().tolist(), head.classify.weight.grad.clone()))
    (one, classes, slope), (two, classes_, slope_) = found
    assert one == pytest.approx(two, rel=1e-5)
    assert classes == classes_
    torch.testing.assert_close(slope, slope_, atol=1e-5, rtol=1e-3)


def test_a_rare_part_decides_and_a_readout_finds_it(tmp_path):
    """What is handed out is not behind the best baseline, which sees the mean of the parts; the largest part is seen by max."""
    _, split = molecules(90)
    (module, data), settings = built(split, asked("max"), learning_rate=1e-2)
    trained = train(module, data, {"max_epochs": 25, "accelerator": "cpu"}, tmp_path, settings.model)
    answers = answer(trained, split, EvaluateSettings(bootstrap=20), seed=7)
    value = {row.method: row.value for row in answers.rows if (row.split, row.metric) == ("test", "accuracy")}
    assert {"gnn", "mmgraph", "logistic:linked_text", "nearest_labelled", "majority"} <= set(value)
    assert value["gnn"] > 0.85, value
    assert value["mmgraph"] >= 0.85 > value["nearest_labelled"], value
    assert answers.labels[0].probabilities.shape == (90, 2)


def test_readouts_have_settings():
    (module, _), _ = built(molecules(12)[1], asked(Component(class_path="attention", init_args={"hidden": 5})))
    assert module.all_heads[0].whole.readout.content.out_features == 5
