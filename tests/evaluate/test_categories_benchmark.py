"""The benchmark of categories: who is asked is never trained on nor chosen by, and its tables say what was measured."""

import csv
import importlib.util
from collections import Counter
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location(
    "benchmark_of_categories", Path(__file__).parents[2] / "benchmarks" / "categories.py"
)
categories = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(categories)


@pytest.fixture
def data(tmp_path):
    (tmp_path / "digits").mkdir()
    for digit in range(10):
        for speaker in "abcdef":
            for take in range(4):
                (tmp_path / "digits" / f"{digit}_{speaker}_{take}.wav").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize("rotation", range(6))
def test_five_of_a_digit_are_shown_and_no_speaker_is_on_two_sides(data, rotation):
    folder = categories.digit_tables(data, data / "tables", rotation)
    with open(folder / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(row["value"] == row["id"][0] for row in rows)
    shown = [row for row in rows if row["split"] == "train"]
    assert Counter(row["value"] for row in shown) == dict.fromkeys("0123456789", 5)
    sides = {part: {row["id"].split("_")[1] for row in rows if row["split"] == part} for part in ("train", "valid", "test")}
    assert [len(sides[part]) for part in ("train", "valid", "test")] == [3, 1, 2]
    assert sum(map(len, sides.values())) == len(set.union(*sides.values()))
    assert len({row["id"] for row in rows}) == len(rows) == 50 + 40 + 80
    with open(folder / "items.csv", newline="") as file:
        items = list(csv.DictReader(file))
    assert {row["parent"] for row in items if row["kind"] == "recording"} == set("abcdef")


@pytest.mark.parametrize("rotation", range(6))
def test_with_a_speaker_held_back_no_label_of_a_test_speaker_is_written(data, rotation):
    shown, chooses, asked = categories.speakers_of(rotation, "abcdef")
    with open(categories.digit_tables(data, data / "tables", rotation, held_back=True) / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    sides = {part: {row["id"].split("_")[1] for row in rows if row["split"] == part} for part in ("train", "valid", "test")}
    assert not set(asked) & set.union(*sides.values())
    assert sides["valid"] == set(chooses)
    assert len(sides["test"]) == 1 and len(sides["train"]) == 2
    assert sides["test"] | sides["train"] == set(shown)
    assert Counter(row["value"] for row in rows if row["split"] == "train") == dict.fromkeys("0123456789", 5)


def test_over_all_rotations_every_speaker_is_asked_twice():
    asked = Counter(one for rotation in range(6) for one in categories.speakers_of(rotation, "abcdef")[2])
    assert asked == dict.fromkeys("abcdef", 2)


def test_twelve_rotations_ask_twelve_pairs():
    assert len({frozenset(categories.speakers_of(rotation, "abcdef")[2]) for rotation in range(12)}) == 12


METHODS = ("mmgraph", "gnn", "logistic:audio")


def row(seed, method, value, metric="accuracy"):
    return {"seed": seed, "target": "x.c", "method": method, "metric": metric, "value": value, "n": 9}


def test_the_page_has_means_and_paired_differences():
    splits = {
        str(seed): {
            "rows": [
                *(row(seed, method, value) for method, value in zip(METHODS, (ours, ours, theirs), strict=True)),
                *(
                    row(seed, method, value, "macro_f1")
                    for method, value in zip(METHODS, (ours, ours, ours - 0.2), strict=True)
                ),
            ],
            "chosen": [{"target": "x.c", "chosen": "gnn"}],
            "model": "sgc, depth 3" if seed else "sage",
            "seconds": 2.0,
            "knock_outs": ["#### without"] if not seed else [],
        }
        for seed, (ours, theirs) in enumerate([(0.6, 0.5), (0.8, 0.7), (0.7, 0.6)])
    }
    lines = categories.page("digits", {"sound": splits, "not asked": {}})
    text = "\n".join(lines)
    assert "3 splits, 2 s a fit" in text
    assert "- Validation chose for x.c: gnn, gnn, gnn." in text
    assert "- Validation took of the networks: sage; sgc, depth 3; sgc, depth 3." in text
    cells = ["logistic:audio", "0.600 (0.352 to 0.848)", "0.500 (0.252 to 0.748)", "–"]
    cells += ["+0.100 (+0.100 to +0.100)"] * 2 + ["+0.200 (+0.200 to +0.200)"]
    assert f"| {' | '.join(cells)} |" in lines
    assert lines.count("#### without") == 1
    assert "not asked" not in text
