"""Every table of the command line at 80 columns: no line is longer, and no number or interval is broken."""

import io
import re

import numpy as np
import pytest
from rich.console import Console

from mmgraph.evaluate.clusters import Measured
from mmgraph.evaluate.contract import Row
from mmgraph.evaluate.effects import Effect
from mmgraph.evaluate.gaps import Bridging, Gap
from mmgraph.model.estimate import Need
from mmgraph.outputs.clusters import measured_tables
from mmgraph.outputs.compare import Difference, Line, comparison_table
from mmgraph.outputs.estimate import memory_table
from mmgraph.outputs.gaps import bridging_table, gaps_table
from mmgraph.outputs.knock_outs import show_knock_outs
from mmgraph.outputs.order import Right, rightness_table
from mmgraph.outputs.questions import Asked, questions_table
from mmgraph.outputs.seeds import Spread, Summary, show_summary
from mmgraph.outputs.summary import show_metrics
from mmgraph.outputs.terminal import broken, table_of
from mmgraph.types import Relation

METHODS = ("mmgraph", "gnn", "resource_allocation", "smoothed_regression", "logistic:image+audio")
METRICS = {
    "links": ("mrr", "hits@1", "hits@10", "mr"),
    "categories": ("accuracy", "macro_f1", "ece", "auroc/open"),
    "several": ("lrap", "map", "micro_f1", "macro_f1"),
    "recommend": ("ndcg@20", "recall@20", "precision@20", "arp@20"),
    "ratings": ("rmse", "mae", "r2", "coverage@90%"),
}
TARGET = "segment/is_followed_by/segment"
NUMBER = r"[-+]?\d+\.\d{3}\b|\d+ MiB"
LONG = "a_folder_with_a_name_that_nobody_would_choose_but_every_camera_gives_0123456789"


def rows(task, group=""):
    named = "categories" if task == "several" else task
    given = [(method, metric) for method in METHODS for metric in METRICS[task]]
    return [
        Row(named, TARGET, "test", *pair, 0.5 + i / 997, 0.4 + i / 997, 0.6 + i / 997, 12345, group)
        for i, pair in enumerate(given)
    ]


def grouped():
    more = [*rows("links"), *rows("links", "answer_degree=1001-10000"), *rows("links", f"relation={TARGET}")]
    return lambda console: show_metrics(console, more, (), groups=True)


def knock_outs():
    parts = (("baseline", "resource_allocation"), ("relation", TARGET), ("random", "segment.image"), ("links", "links"))
    return [
        Effect("links", TARGET, "mrr", method, what, name, 0.987, 0.123, 0.864, 0.801, 0.912, 12345)
        for method in ("gnn", "mmgraph")
        for what, name in parts
    ]


def seeds():
    spreads = [
        Spread(*(row.task, row.target, "test", row.method, row.metric), row.value, 0.012, 0.345, 0.567, 5, (), 0.234, 0.678)
        for row in rows("links")
    ]
    return Summary((1, 2, 3), ("a", "b", "c"), 0.95, "seed", tuple(spreads), ())


def compared():
    row, other = rows("links")[3:5]
    differences = (None, Difference(0.123, -0.456, 0.789, True), Difference(-0.123, -0.456, -0.789, False))
    lines = [Line("links", TARGET, metric, (row, other, None), differences) for metric in METRICS["links"]]
    return comparison_table(lines, [f"{LONG}-{i}" for i in range(3)])


def memory():
    parts = {"vectors by id, their moments and gradients": 123 * 2**20}
    return memory_table([Need(mode, parts, parts, parts) for mode in ("full", "steps", "neighbours")], "neighbours", 2**30)


def measured():
    found = [Measured("topic", m, k, 0.512, 0.498, 0.534, 999, 12) for m in METHODS for k in ("nmi", "ari", "accuracy")]
    return measured_tables(found, "segment", 80)[0]


def gap(what):
    return Gap(LONG, what, 0, 1, 12.3, 0.5, 0.512, 0.498, 0.534, abstain=False)


SHOWN = {
    **{task: lambda console, task=task: show_metrics(console, rows(task), ()) for task in METRICS},
    "groups": grouped(),
    "seeds": lambda console: show_summary(console, seeds()),
    "knock-outs": lambda console: show_knock_outs(console, knock_outs()),
    "compare": lambda console: console.print(compared()),
    "memory": lambda console: console.print(memory()),
    "clusters": lambda console: console.print(measured()),
    "gaps": lambda console: console.print(
        gaps_table([gap("open"), gap("jump")], np.array([f"{LONG}#1", f"{LONG}#2"]), console.width)
    ),
    "bridges": lambda console: console.print(
        bridging_table([Bridging(m, 99, 0.512, 0.498, 0.534) for m in METHODS], Relation.parse(TARGET))
    ),
    "order": lambda console: console.print(
        rightness_table([Right(m, 99, -0.512, -0.698, -0.334, 0.5, 1.0, 1.0) for m in METHODS], Relation.parse(TARGET))
    ),
    "questions": lambda console: console.print(questions_table([Asked(LONG, "category", LONG, 0.512, 0.934)])),
}


def printed(show, width):
    console = Console(width=width, record=True, file=io.StringIO())
    show(console)
    return console.export_text()


@pytest.mark.parametrize("name", SHOWN)
def test_at_80_columns_no_number_is_broken_and_no_line_is_too_long(name):
    narrow, wide = (printed(SHOWN[name], width) for width in (80, 400))
    table = [line for line in narrow.splitlines() if line.startswith(("│", "┃", "└"))]
    assert len(table) > 3
    assert max(map(len, table)) <= 80
    for line in table:
        assert line.count("[") == line.count("]"), line
        assert "…" not in line
    assert "(n =" not in narrow or re.search(r"\(n = \d+", narrow), "a title is not cut"
    numbers = set(re.findall(NUMBER, "\n".join(table)))
    assert numbers
    assert numbers <= set(re.findall(NUMBER, wide))


def test_of_what_does_not_fit_the_intervals_of_the_last_metrics_are_left_out():
    narrow, wide = (printed(SHOWN["links"], width) for width in (80, 200))
    assert (narrow.count("["), wide.count("[")) == (len(METHODS), 4 * len(METHODS))
    assert "0.500 [0.400, 0.600]" in narrow
    for metric in ("MRR", "Hits@1", "Hits@10", "rank ↓"):
        assert metric in narrow, "every metric is there"
    assert "logistic:image+audio †" in narrow


def test_a_head_is_broken_and_a_title_is_not_cut():
    assert broken("AUROC (open classes)") == "AUROC\n(open\nclasses)"
    assert [broken(one) for one in ("", "Calibration", "Recall@20", "gnn MRR")] == ["", "Calibration", "Recall@20", "gnn MRR"]
    title = "segment/is_followed_by/segment: held-out test links found again as bridges (n = 12345)"
    table = table_of(title, ("a", "b"), ("a",))
    assert printed(lambda console: console.print(table), 80).split("┏")[0].split() == title.split()
