"""Labels added to a split that stands, against slow and obvious computations."""

from dataclasses import replace

import numpy as np
import pytest
from graph_made import made
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgraph.catalogue.tables import made_table
from mmgraph.errors import CatalogueError
from mmgraph.graph.contract import Labels
from mmgraph.split.answered import answered, hidden_labels, shown_more
from mmgraph.split.contract import LabelSplit
from mmgraph.split.unlabelled import unlabelled, with_held_out

TARGET = "segment.category"


def table(rows):
    columns = dict(zip(("id", "field", "value"), map(list, zip(*rows, strict=True)), strict=True))
    return made_table("a.csv", tuple(columns), columns, len(rows), where=lambda row: f"a.csv, row {row + 2}")


def pooled(seed=0):
    """Six videos; the last two have no labels."""
    graph, split = made(videos=6, seed=seed)
    return graph, hidden_labels(split, TARGET, np.arange(30) >= 20), split.labels[TARGET].labels


@given(st.integers(0, 30), st.lists(st.integers(20, 29), min_size=1, max_size=12))
@settings(max_examples=25, deadline=None)
def test_what_is_answered_is_trained_on_unless_it_belongs_with_what_is_held_out(seed, asked):
    graph, split, truth = pooled(seed)
    one = split.labels[TARGET]
    rows = [(f"s{i}", "category", truth.classes[truth.values[i]]) for i in asked]
    done = answered(split, graph, table(rows), "parent")
    now = done.split.labels[TARGET]
    held = {i // 5 for i in (*one.valid, *one.test)}
    trained = {i for i in asked if i // 5 not in held}
    assert set(now.train) == set(one.train) | trained
    assert done.aside == len(set(asked) - trained)
    assert (now.valid.tolist(), now.test.tolist()) == (one.valid.tolist(), one.test.tolist())
    for item in range(30):
        wanted = truth.values[item] if item in asked else one.labels.values[item]
        assert now.labels.values[item] == wanted
        assert done.split.visible.labels["segment", "category"].values[item] == (wanted if item in now.train else -1)
    assert [row[0] for row in done.rows] == [f"s{i}" for i in dict.fromkeys(asked)]
    again = answered(done.split, graph, table(rows), "parent")
    assert (again.rows, again.known) == ((), len(asked))
    assert split.labels[TARGET] is one


def test_hidden_and_shown_again_a_split_is_what_it_was():
    graph, split = made(videos=6)
    one = split.labels[TARGET]
    hidden = hidden_labels(split, TARGET, np.isin(np.arange(30), one.train[:3]))
    assert set(unlabelled(hidden.labels[TARGET])) == set(one.train[:3])
    back = shown_more(hidden, TARGET, one.train[:3], one.labels.values[one.train[:3]])
    assert back.labels[TARGET].train.tolist() == one.train.tolist()
    np.testing.assert_array_equal(back.labels[TARGET].labels.values, one.labels.values)
    held = with_held_out(graph, one, "none")
    assert set(np.flatnonzero(held)) == {*one.valid, *one.test}


def several():
    graph, split, _ = pooled()
    before = split.labels[TARGET]
    labels = before.labels.as_several()
    return graph, replace(split, labels={TARGET: replace(before, labels=labels)})


def test_an_item_may_be_given_several_values_where_it_may_have_them():
    graph, split = several()
    done = answered(
        split, graph, table([("s20", "category", "y"), ("s20", TARGET, "w"), ("s21", "category", "z")]), "none", True
    )
    labels = done.split.labels[TARGET].labels
    assert labels.classes == ("x", "y", "z", "w")
    assert labels.has(np.array([20, 21])).tolist() == [[False, True, False, True], [False, False, True, False]]
    assert labels.values[[20, 21]].tolist() == [1, 2]
    assert done.rows == (("s20", TARGET, "y"), ("s20", TARGET, "w"), ("s21", TARGET, "z"))
    with pytest.raises(CatalogueError, match="a.csv, row 2: the item has another value; given: z, where it is y and w"):
        answered(done.split, graph, table([("s20", "category", "z")]), "none")


def test_of_an_open_class_nobody_may_be_told():
    graph, split, _ = pooled()
    one = split.labels[TARGET]
    hidden = LabelSplit(one.labels, one.train, one.valid, one.test, open=np.array([22]), open_classes=("w",))
    split = replace(split, labels={TARGET: hidden})
    assert 22 not in unlabelled(hidden)
    with pytest.raises(CatalogueError, match=r"row 2: the item's class is hidden by split.labels.open; given: x"):
        answered(split, graph, table([("s22", "category", "x")]), "none")
    with pytest.raises(CatalogueError, match=r"row 2: the class is hidden by split.labels.open; given: w"):
        answered(split, graph, table([("s23", "category", "w")]), "none", new_classes=True)


def test_a_new_class_needs_an_item_that_can_be_trained_on():
    graph, split, _ = pooled()
    one = split.labels[TARGET]
    free = replace(one, labels=hidden_of(one.labels, one.valid[:1]), valid=one.valid[1:])
    split = replace(split, labels={TARGET: free})
    item = int(one.valid[0])
    split = replace(split, labels={TARGET: replace(free, test=np.union1d(free.test, [item // 5 * 5 + (item % 5 == 0)]))})
    with pytest.raises(CatalogueError, match="row 2: a new class has only items that belong with held-out ones; given: w"):
        answered(split, graph, table([(f"s{item}", "category", "w")]), "parent", new_classes=True)


def hidden_of(labels: Labels, items):
    return labels.shown(np.setdiff1d(np.arange(len(labels.values)), items))
