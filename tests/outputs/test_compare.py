"""Runs beside each other: paired where the test links are the same, else not, against slow computations."""

import io
import re

import numpy as np
import pytest
from rich.console import Console

from mmgraph.cli import main
from mmgraph.configuration import dump
from mmgraph.errors import RunError
from mmgraph.evaluate.contract import Row
from mmgraph.evaluate.evaluate import Ranked, evaluate_links
from mmgraph.outputs.compare import compare, comparison_table, note, short_names
from mmgraph.outputs.ranks import write_ranks
from mmgraph.runs import RunFolder, write_json
from mmgraph.settings import Component, EvaluateSettings, RunSettings, Settings

from .conftest import Given, link_question

FEW = EvaluateSettings(bootstrap=400)


def question(test=range(0, 40, 2), size=40):
    return link_question("a/r/a", {"a": size}, [(i, (i + 1) % size) for i in range(size)], test=test)


def noisy(seed, strength, asked):
    """Scores that know the links, more or less."""
    edges, count = asked.split.edges, asked.count("source")
    scores = np.random.default_rng(seed).normal(size=(count, count)).astype(np.float32)
    scores[edges.source, edges.target] += strength
    return scores


def finished(path, asked, methods, more=(), keep=True):
    """A run folder with what compare reads."""
    run = RunFolder(path)
    ranked: list[Ranked] = []
    rows, _ = evaluate_links(asked, [Given(scores, name) for name, scores in methods.items()], FEW, ranked)
    write_json(run.metrics, [vars(row) for row in (*rows, *more)])
    write_json(run.evidence, [])
    settings = Settings(
        catalogue=Component(class_path="Tables", init_args={"root": str(path)}), run=RunSettings(dir=path), evaluate=FEW
    )
    run.settings.write_text(dump(settings))
    if keep:
        write_ranks(ranked, run.ranks)
    return ranked


def accuracy(value):
    return Row("categories", "a.c", "test", "mmgraph", "accuracy", value, value - 0.1, value + 0.05, 20)


def test_the_difference_is_paired_where_the_test_links_are_the_same(tmp_path):
    asked = question()
    better, worse = noisy(0, 2.0, asked), noisy(0, 1.0, asked)
    one = finished(tmp_path / "one", asked, {"mmgraph": worse, "gnn": better})
    two = finished(tmp_path / "two", asked, {"mmgraph": better, "gnn": better})
    lines = compare([tmp_path / "one", tmp_path / "two"])
    assert [line.metric for line in lines] == ["mrr", "hits@1", "hits@3", "hits@10"]
    line = lines[0]
    mean = [np.mean([1 / asked.rank for asked in ranked[0].asked], axis=0) for ranked in (one, two)]
    each = mean[1] - mean[0]
    found = line.differences[1]
    assert line.differences[0] is None
    assert found.paired
    assert found.value == pytest.approx(each.mean()) == pytest.approx(line.rows[1].value - line.rows[0].value)
    draws = np.random.default_rng(1).integers(len(each), size=(4000, len(each)))
    low, high = np.quantile(each[draws].mean(1), [0.025, 0.975])
    assert (found.low, found.high) == (pytest.approx(low, abs=0.03), pytest.approx(high, abs=0.03))
    apart = compare([tmp_path / "one", tmp_path / "two"], "gnn")
    assert all((d.value, d.low, d.high) == (0, 0, 0) for line in apart for d in line.differences[1:])


def test_other_test_links_or_none_are_unpaired(tmp_path):
    asked, other = question(), question(test=range(1, 40, 2))
    scores = noisy(0, 1.5, asked)
    finished(tmp_path / "one", asked, {"mmgraph": scores}, [accuracy(0.5)])
    finished(tmp_path / "two", other, {"mmgraph": scores}, [accuracy(0.7)])
    finished(tmp_path / "three", asked, {"mmgraph": scores}, keep=False)
    lines = {line.metric: line for line in compare([tmp_path / name for name in ("one", "two", "three")])}
    assert [one.paired for one in lines["mrr"].differences[1:]] == [False, False]
    found = lines["accuracy"].differences[1]
    assert (found.value, found.paired) == (pytest.approx(0.2), False)
    assert found.low == pytest.approx(0.2 - np.hypot(0.1, 0.05))
    assert found.high == pytest.approx(0.2 + np.hypot(0.05, 0.1))
    assert lines["accuracy"].rows[2] is None
    assert lines["accuracy"].differences[2] is None
    assert list(note(list(lines.values()))) == [False]


def test_an_unpaired_interval_covers_as_often_as_it_says():
    """Means of two samples, their own 95 % intervals, and the interval of the difference."""
    from mmgraph.outputs.compare import _unpaired

    rng = np.random.default_rng(0)
    one, two = (rng.normal(mean, deviation, (3000, n)) for mean, deviation, n in ((0.4, 0.2, 30), (0.5, 0.1, 60)))

    def row(sample):
        half = 1.96 * sample.std(ddof=1) / np.sqrt(len(sample))
        return Row("links", "x", "test", "m", "mrr", sample.mean(), sample.mean() - half, sample.mean() + half, len(sample))

    found = [_unpaired(row(a), row(b)) for a, b in zip(one, two, strict=True)]
    assert np.mean([d.low <= 0.1 <= d.high for d in found]) == pytest.approx(0.95, abs=0.02)


def test_the_table_says_what_is_unpaired_and_every_metric_can_be_asked(tmp_path, capsys):
    asked = question()
    finished(tmp_path / "one", asked, {"mmgraph": noisy(0, 1, asked)}, [accuracy(0.5)])
    finished(tmp_path / "two", asked, {"mmgraph": noisy(0, 3, asked)}, [accuracy(0.7)])
    runs = [str(tmp_path / name) for name in ("one", "two")]
    assert main(["compare", *runs, "--all"]) == 0
    said = capsys.readouterr().out
    for words in ("a/r/a", "MRR", "AMRI", "Mean rank ↓", "a.c", "Accuracy", "unpaired", "one", "two", "intervals are paired"):
        assert words in said, words
    console = Console(record=True, width=200, file=io.StringIO())
    console.print(comparison_table(compare([tmp_path / "one", tmp_path / "two"]), ["[red]one", "two"]))
    assert "[red]one" in console.export_text()


def test_names_tell_runs_apart(tmp_path):
    assert short_names([tmp_path / "a" / "x", tmp_path / "b" / "x"]) == ["a/x", "b/x"]
    assert short_names([]) == []
    assert len(short_names([tmp_path, tmp_path])) == 2


WRONG = {
    "one run": (("one",), "compare needs two runs at least; given: .*one"),
    "no folder": (("one", "none"), "this is no run folder; given: .*none; give a folder that `mmgraph fit` wrote"),
    "not finished": (
        ("one", "half"),
        "this run is not finished; given: .*half; `mmgraph fit --config .*settings.yaml` goes on",
    ),
    "no method": (("one", "one", "--method", "gmn"), "no run has this method; given: gmn; there are: mmgraph"),
    "no value": (("one", "one", "--method"), "--method needs a value; mmgraph compare RUN RUN"),
    "no argument": (("one", "one", "--methods", "gnn"), "no such argument; given: --methods; mmgraph compare"),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_one_line(tmp_path, monkeypatch, capsys, case):
    asked = question()
    finished(tmp_path / "one", asked, {"mmgraph": noisy(0, 1, asked)})
    finished(tmp_path / "half", asked, {"mmgraph": noisy(0, 1, asked)})
    (tmp_path / "half" / "evidence.json").unlink()
    monkeypatch.chdir(tmp_path)
    words, message = WRONG[case]
    assert main(["compare", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(f"mmgraph: {message}.*\n", err), err


def test_a_broken_file_of_ranks_is_named(tmp_path):
    asked = question()
    for name in ("one", "two"):
        finished(tmp_path / name, asked, {"mmgraph": noisy(0, 1, asked)})
    (tmp_path / "two" / "ranks.parquet").write_text("no table")
    with pytest.raises(RunError, match=r"cannot read .*two/ranks\.parquet"):
        compare([tmp_path / "one", tmp_path / "two"])
