"""Methods beside each other, for a page and for a terminal."""

import io
import math

import pytest
from rich.console import Console

from mmgraph.evaluate.contract import Row
from mmgraph.outputs.scoreboard import boards
from mmgraph.outputs.table import metrics_table


def row(method, metric, value, target="a/r/b", split="test", interval=True, task="links"):
    low, high = (value - 0.05, value + 0.05) if interval else (None, None)
    return Row(task, target, split, method, metric, value, low, high, 40)


def said(table):
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def test_nothing():
    assert boards([]) == []
    assert metrics_table([]) == []
    assert boards([row("mmgraph", "mrr", math.nan)]) == []


def test_one_method_alone():
    (board,) = boards([row("popularity", "mrr", 0.1)])
    assert board.best_baseline == "popularity"
    assert board.is_best("popularity", "mrr")
    assert not board.is_best("popularity", "auc")
    assert boards([row("mmgraph", "mrr", 0.1)])[0].best_baseline is None


def test_order_of_methods_metrics_and_targets():
    rows = [
        row(m, k, v)
        for m, v in (("weak", 0.1), ("strong", 0.4), ("gnn", 0.2), ("mmgraph", 0.3))
        for k in ("odd", "mr", "auc", "mrr")
    ]
    rows += [row("mmgraph", "mrr/target", 0.1), row("mmgraph", "accuracy", 0.9, "a.x", task="categories")]
    first, second = boards([*rows, row("mmgraph", "mrr", 0.9, "later/r/b", "valid")])
    assert first.metrics == ("mrr", "auc", "mr", "odd", "mrr/target")
    assert first.shown == ("mrr", "auc", "mr", "odd")
    assert first.methods == ("mmgraph", "gnn", "strong", "weak")
    assert first.best_baseline == "strong"
    best = [(metric, method) for metric in ("mrr", "mr") for method in first.methods if first.is_best(method, metric)]
    assert best == [("mrr", "strong"), ("mr", "weak")]  # the smaller mean rank is the better one
    assert all(board.is_best(m, "mrr") for board in boards([row("x", "mrr", 1.0), row("y", "mrr", 1.0)]) for m in "xy")
    assert second.target == "a.x"
    by_auc = boards(rows, main={"a/r/b": "auc"})[0]
    assert by_auc.main == "auc"
    assert [board.target for board in boards([row("x", "mrr", 1.0, split="valid")], "valid")] == ["a/r/b"]


def test_a_table_has_intervals_and_marks_the_best():
    rows = [row("mmgraph", "mrr", 0.3), row("[bold]odd", "mrr", 0.4), row("popularity", "mrr", 0.1, interval=False)]
    text = said(metrics_table([*rows, row("mmgraph", "auc", 0.9)])[0])
    assert "a/r/b  (test, n = 40)" in text
    assert "0.300 [0.250, 0.350]" in text
    assert "0.400 [0.350, 0.450]*" in text
    assert "[bold]odd †" in text
    assert "0.100 " in text
    assert "–" in text


@pytest.mark.parametrize("split, count", [("test", 1), ("valid", 0)])
def test_only_the_split_asked_for(split, count):
    assert len(metrics_table([row("mmgraph", "mrr", 0.3)], split)) == count


def test_what_is_ranked_among_one_parent_has_a_table_of_its_own():
    rows = [row(m, k, v) for m, v in (("mmgraph", 0.3), ("near", 0.2)) for k in ("mrr", "mrr/target", "mr")]
    rows += [
        row("mmgraph", "mr/same_parent", 1.5),
        row("mmgraph", "mrr/same_parent", 0.6),
        row("near", "mrr/same_parent", 0.8),
    ]
    plain, among = boards(rows)
    assert plain.shown == ("mrr", "mr")
    assert (plain.title, plain.suffix) == ("a/r/b", "")
    assert among.metrics == ("mrr", "mr")
    assert among.title == "a/r/b, among the items of the same parent"
    assert (among.target, among.suffix, among.best_baseline) == ("a/r/b", "/same_parent", "near")
    first, second = map(said, metrics_table(rows))
    assert "a/r/b, among the items of the same parent" in second
    assert "0.800" in second
    assert "0.800" not in first
