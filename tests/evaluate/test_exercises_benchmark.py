"""The benchmark of exercises takes away what it says, and nothing else."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from mmgraph.graph.contract import Features

SPEC = importlib.util.spec_from_file_location(
    "benchmark_of_exercises", Path(__file__).parents[2] / "benchmarks" / "exercises.py"
)
exercises = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(exercises)


def features():
    rng = np.random.default_rng(0)
    present = np.array([True, False, True, True])
    made = {}
    for kind, modality, width in (("image", "image", 5), ("text", "text", 3)):
        made[kind, modality] = Features(rng.random((4, width), np.float32) * present[:, None], present)
    return made


def test_a_modality_is_taken_away_and_the_other_is_the_same():
    before = features()
    left = exercises.changed(before, exercises.Change(without=("image",)), 7)
    assert list(left) == [("text", "text")]
    assert left["text", "text"] is before["text", "text"]


def test_noise_has_the_width_and_the_gaps_and_nothing_of_the_vectors():
    before = features()
    noisy = exercises.changed(before, exercises.Change(noise=("text",)), 7)
    one, was = noisy["text", "text"], before["text", "text"]
    assert noisy["image", "image"] is before["image", "image"]
    assert one.vectors.shape == was.vectors.shape
    np.testing.assert_array_equal(one.vectors.any(axis=1), was.present)
    assert not np.isclose(one.vectors, was.vectors)[was.present].any()
    again = exercises.changed(before, exercises.Change(noise=("text",)), 7)
    np.testing.assert_array_equal(again["text", "text"].vectors, one.vectors)


@pytest.mark.parametrize("change", [*exercises.ABLATIONS.values(), *exercises.PROBES.values()])
def test_every_change_gives_settings_that_are_valid(change, tmp_path):
    given = exercises.argparse.Namespace(root=tmp_path, store=tmp_path, seed=3, quick=True)
    settings = exercises.settings_of(given, tmp_path / "run", change)
    assert [task.init_args["relation"] for task in settings.tasks] == list(change.only)
    assert settings.run.seed == 3


def test_what_a_person_wrote_below_the_tables_stays(tmp_path):
    row = {"value": 0.5, "low": 0.25, "high": 0.75}
    methods = {name: dict.fromkeys(("mrr", "hits@1", "hits@10"), row) for name in ("mmgraph", "gnn", "popularity")}
    ablations = {"all": {"test": dict.fromkeys(exercises.RELATIONS, methods)}}
    told = {"date": "2026-01-01", "seed": 7, "links": {"a/b/c": [3, 2, 1]}, "ablations": ablations, "probes": {}}
    exercises.write(tmp_path / "page", told)
    page = tmp_path / "page.md"
    page.write_text(page.read_text() + "\nWhy.\n")
    told["seed"] = 8
    exercises.write(tmp_path / "page", told)
    assert "--seed 8`" in page.read_text()
    assert page.read_text().endswith(exercises.NOTES + "\n\nWhy.\n")
    assert "| popularity | .500 (.250 to .750) | .500 (.250 to .750) |" in page.read_text()
