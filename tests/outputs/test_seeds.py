"""Several runs as one: means, deviations, t intervals and paired differences, each by its definition."""

import io
import json
import math
import statistics
from types import SimpleNamespace

import pytest
from rich.console import Console
from scipy.stats import ttest_1samp

from mmgraph.errors import RunError
from mmgraph.evaluate.contract import Row
from mmgraph.outputs.seeds import over, read_summary, runs_in, show_summary, summary, write_summary

OURS = (0.5, 0.55, 0.6)
HARD = (0.45, 0.52, 0.5)
EASY = (0.1, 0.9, 0.1)


def row(method, value, metric="mrr", split="test", group="", half=0.1):
    ends = (None, None) if half is None else (value - half, value + half)
    return Row("links", "a/r/b", split, method, metric, value, *ends, 40, group)


def run(*rows):
    return SimpleNamespace(rows=rows, verdict=({"target": "a/r/b", "metric": "mrr"},))


RUNS = [
    run(
        row("mmgraph", a),
        row("gnn", a / 2),
        row("hard", b),
        row("easy", c),
        row("mmgraph", a, "hits@10"),
        row("mmgraph", 0.9, group="g=x"),
    )
    for a, b, c in zip(OURS, HARD, EASY, strict=True)
]


def said(found):
    console = Console(width=160, record=True, file=io.StringIO())
    show_summary(console, found)
    return console.export_text()


def test_intervals_are_student_s():
    for values in (OURS, HARD, EASY, (1.0, 2.0)):
        mean, deviation, low, high = over(values, 0.9)
        assert mean == pytest.approx(statistics.mean(values))
        assert deviation == pytest.approx(statistics.stdev(values))
        wanted = ttest_1samp(values, 0.0).confidence_interval(0.9)
        assert (low, high) == pytest.approx((wanted.low, wanted.high))
    assert over((0.5,), 0.9) == (0.5, None, None, None)


def test_means_and_the_lead_paired_by_seed():
    found = summary(RUNS, (7, 8, 9), ("seed-7", "seed-8", "seed-9"), 0.95, varies=True)
    table = {(one.method, one.metric): one for one in found.metrics}
    assert set(table) == {("mmgraph", "mrr"), ("gnn", "mrr"), ("hard", "mrr"), ("easy", "mrr"), ("mmgraph", "hits@10")}
    ours = table["mmgraph", "mrr"]
    assert (ours.values, ours.n) == (OURS, 3)
    assert (ours.query_low, ours.query_high) == pytest.approx((statistics.mean(OURS) - 0.1, statistics.mean(OURS) + 0.1))
    (lead,) = found.differences
    each = [a - b for a, b in zip(OURS, HARD, strict=True)]
    assert lead.baseline == "hard"
    assert lead.values == pytest.approx(each)
    wanted = ttest_1samp(each, 0.0).confidence_interval(0.95)
    assert (lead.difference, lead.low, lead.high) == pytest.approx((statistics.mean(each), wanted.low, wanted.high))
    assert lead.high - lead.low < ours.high - ours.low  # what seeds share falls out of a paired difference
    text = said(found)
    for part in (
        "a/r/b  (test, 3 seeds)",
        "over",
        "queries",
        "0.550 ± 0.050",
        "0.450–0.650",
        "the split is made anew by each seed",
    ):
        assert part in text, part
    assert "mmgraph MRR 0.550 against 0.490 for hard, means of 3 seeds: no clear difference, +0.060 (-0.030 to +0.150)" in text


def test_of_an_error_the_smaller_is_the_better():
    runs = [
        SimpleNamespace(
            rows=[row(name, value, "rmse") for name, value in (("mmgraph", a), ("good", a + 0.1), ("bad", a + 0.4))],
            verdict=({"target": "a/r/b", "metric": "rmse"},),
        )
        for a in (0.5, 0.6, 0.7)
    ]
    (lead,) = summary(runs, (1, 2, 3), ("a", "b", "c"), 0.95, varies=True).differences
    assert lead.baseline == "good" and lead.difference == pytest.approx(0.1)
    assert "mmgraph RMSE 0.600 against 0.700 for good" in lead.text


def test_what_only_some_runs_have_is_counted():
    some = [RUNS[0], run(row("mmgraph", 0.4, half=None), row("gnn", 0.2)), RUNS[2]]
    found = summary(some, (1, 2, 3), ("a", "b", "c"), 0.95, varies=False)
    table = {(one.method, one.metric): one for one in found.metrics}
    assert (table["hard", "mrr"].n, table["mmgraph", "mrr"].n) == (2, 3)
    assert table["mmgraph", "mrr"].query_low is None
    assert (found.differences[0].n, found.differences[0].baseline) == (2, "hard")
    assert "the split is the same for all" in said(found)


def test_one_seed_has_no_interval_and_no_baseline_no_lead():
    (one,) = {summary(RUNS[:1], (7,), ("seed-7",), 0.95, varies=True)}
    assert one.differences[0].text.endswith("difference +0.050, of one seed, without an interval")
    assert all(spread.low is None and spread.deviation is None for spread in one.metrics)
    assert "–" in said(one)
    alone = summary([run(row("mmgraph", 0.4))] * 2, (1, 2), ("a", "b"), 0.95, varies=True)
    assert alone.differences == ()
    assert summary([], (), (), 0.95, varies=True).metrics == ()


def test_written_read_back_and_taken_apart(tmp_path):
    found = summary(RUNS, (7, 8, 9), ("seed-7", "seed-8", "seed-9"), 0.95, varies=True)
    assert read_summary(tmp_path) is None
    write_summary(found, tmp_path)
    assert read_summary(tmp_path) == found
    assert not any(math.isnan(one["mean"]) for one in json.loads((tmp_path / "seeds.json").read_text())["metrics"])
    other = tmp_path / "other"
    assert runs_in([other, tmp_path]) == [other, *(tmp_path / f"seed-{seed}" for seed in (7, 8, 9))]
    (tmp_path / "seeds.json").write_text('{"seeds": ["x"]}')
    with pytest.raises(RunError, match=r"seeds\.json is broken"):
        read_summary(tmp_path)
