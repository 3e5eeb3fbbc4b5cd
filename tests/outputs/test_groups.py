"""Metrics by group, as a page and a terminal show them."""

import io

from rich.console import Console

from mmgraph.evaluate.contract import Row
from mmgraph.outputs.groups import group_table, grouped
from mmgraph.outputs.scoreboard import boards


def row(method, value, group="", n=40, metric="mrr", target="a/r/b", split="test"):
    return Row("links", target, split, method, metric, value, value - 0.05, value + 0.05, n, group)


WHOLE = [row(m, v) for m, v in (("mmgraph", 0.5), ("gnn", 0.4), ("strong", 0.3), ("weak", 0.2))]
BY_GROUP = [
    row(method, value, f"{grouping}={name}", n, metric)
    for grouping, name, n in (("answer_degree", "0", 3), ("answer_degree", "1-3", 30), ("relation", "[b]x=y", 7))
    for metric in ("mrr", "hits@10", "auc")
    for method, value in (("mmgraph", 0.55), ("gnn", 0.45), ("strong", 0.35), ("weak", 0.25))
]


def said(table):
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def test_nothing_and_no_groups():
    assert grouped([]) == grouped(WHOLE) == []


def test_groups_of_ours_the_network_and_the_best_baseline():
    (one,) = grouped([*WHOLE, *BY_GROUP, row("mmgraph", 0.9, "answer_degree=9", split="valid")])
    assert one.methods == ("mmgraph", "gnn", "strong")
    assert [(g.grouping, g.name, g.n, g.first) for g in one.groups] == [
        ("answer_degree", "0", 3, True), ("answer_degree", "1-3", 30, False), ("relation", "[b]x=y", 7, True),
    ]  # fmt: skip
    assert one.groups[0].cells["strong", "mrr"].value == 0.35
    assert ("weak", "mrr") not in one.groups[0].cells
    text = said(group_table(one))
    for wanted in (
        "a/r/b  (test, by group)",
        "links of the answer",
        "[b]x=y",
        "0.550 [0.500, 0.600]",
        "strong",
        "Hits@10",
    ):
        assert wanted in text, wanted


def test_of_many_groups_the_largest_and_how_many_are_left_out():
    (one,) = grouped([*WHOLE, *BY_GROUP], most=1)
    assert [(g.name, g.first) for g in one.groups] == [("1-3", True), ("[b]x=y", True)]
    assert one.left_out == 1


def test_rows_of_groups_are_on_no_board():
    (board,) = boards([*WHOLE, *BY_GROUP])
    assert board.metrics == ("mrr",)
    assert board.cells["mmgraph", "mrr"].value == 0.5
