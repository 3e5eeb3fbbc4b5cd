"""Which predictions a person is shown: evenly spaced ones, never picked for being right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmgraph.catalogue.contract import Catalogue
from mmgraph.outputs.reading import read_table

TARGETS = 5  # of each source


@dataclass(frozen=True)
class Guess:
    """One predicted target. truth: ``held out`` (a real link that training never saw) or ``unknown``."""

    target: str
    rank: int
    probability: float
    truth: str


@dataclass(frozen=True)
class LinkExample:
    """One source. missed: (held-out target that is not among ``guesses``, its rank or None beyond the table)."""

    source: str
    guesses: tuple[Guess, ...]
    missed: tuple[tuple[str, int | None], ...]


@dataclass(frozen=True)
class LinkExamples:
    """What is shown of one relation, out of how many sources; held_out: how many of the shown have a held-out link."""

    relation: str
    sources: int
    examples: tuple[LinkExample, ...]
    held_out: bool


@dataclass(frozen=True)
class LabelGuess:
    """One item: the predicted class and, where it is known, the true one."""

    id: str
    value: str
    probability: float
    truth: str | None


@dataclass(frozen=True)
class LabelExamples:
    """What is shown of one field on one kind: test items, and items that nobody has labelled."""

    field: str
    kind: str
    test: tuple[LabelGuess, ...]
    unlabelled: tuple[LabelGuess, ...]


def link_examples(folder: Path, count: int) -> list[LinkExamples]:
    """For each relation of predictions/links ``count`` sources with a test link (any, where there is none), evenly spaced."""
    names = read_table(folder, "links", {}, ["relation"])
    if names is None:
        return []
    return [_relation(folder, str(relation), count) for relation in names["relation"].unique().to_pylist()]


def _relation(folder: Path, relation: str, count: int) -> LinkExamples:
    here = {"relation": [relation]}
    links = read_table(folder, "links", here, ["relation", "source"])
    sources = [] if links is None else links["source"].unique().to_pylist()
    held = read_table(folder, "held_out", {**here, "split": ["test"]})
    truths: dict[str, list[str]] = {}
    for row in [] if held is None else held.to_pylist():
        truths.setdefault(row["source"], []).append(row["target"])
    asked = [source for source in sources if source in truths] or sources
    chosen = evenly(asked, count)
    rows = read_table(folder, "links", {**here, "source": chosen})
    by_source: dict[str, list[dict[str, Any]]] = {source: [] for source in chosen}
    for row in [] if rows is None else rows.to_pylist():
        by_source[row["source"]].append(row)
    examples = tuple(_example(source, by_source[source], truths.get(source, [])) for source in chosen)
    return LinkExamples(relation, len(sources), examples, bool(truths))


def _example(source: str, rows: list[dict[str, Any]], truths: Sequence[str]) -> LinkExample:
    true = set(truths)
    shown = [row for row in rows if not row["known"] or row["target"] in true][:TARGETS]
    guesses = tuple(
        Guess(row["target"], row["rank"], row["probability"], "held out" if row["target"] in true else "unknown")
        for row in shown
    )
    seen = {guess.target for guess in guesses}
    ranks = {row["target"]: int(row["rank"]) for row in rows}
    return LinkExample(source, guesses, tuple((target, ranks.get(target)) for target in truths if target not in seen))


def label_examples(folder: Path, catalogue: Catalogue, count: int) -> list[LabelExamples]:
    """For each field and kind of predictions/labels ``count`` test items and ``count`` unlabelled ones, evenly spaced."""
    table = read_table(folder, "labels", {})
    if table is None:
        return []
    kinds = dict(zip(catalogue.items["id"].astype(str), catalogue.items["kind"].astype(str), strict=True))
    labels = catalogue.labels
    keys = zip(labels["id"].astype(str), labels["field"].astype(str), strict=True)
    truth = dict(zip(keys, labels["value"].astype(str), strict=True))
    groups: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
    for row in table.to_pylist():
        group = groups.setdefault((row["field"], kinds.get(row["id"], "")), {})
        group.setdefault(row["split"], []).append(row)
    return [
        LabelExamples(field, kind, _guesses(rows, "test", truth, count), _guesses(rows, "unlabelled", {}, count))
        for (field, kind), rows in groups.items()
    ]


def _guesses(
    rows: Mapping[str, list[dict[str, Any]]], split: str, truth: Mapping[tuple[str, str], str], count: int
) -> tuple[LabelGuess, ...]:
    return tuple(
        LabelGuess(row["id"], row["value"], row["probability"], truth.get((row["id"], row["field"])))
        for row in evenly(rows.get(split, []), count)
    )


def evenly(things: Sequence[Any], count: int) -> list[Any]:
    """At most ``count`` of them, evenly spaced, in their order.

    >>> evenly("abcdefg", 3), evenly("ab", 5), evenly("", 2), evenly("abc", 0)
    (['a', 'd', 'g'], ['a', 'b'], [], [])
    """
    if not things or count < 1:
        return []
    places = np.unique(np.linspace(0, len(things) - 1, min(count, len(things))).round().astype(int))
    return [things[place] for place in places]
