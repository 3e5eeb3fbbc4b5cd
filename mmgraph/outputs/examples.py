"""Which predictions a person is shown: evenly spaced ones, never picked for being right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmgraph.catalogue.contract import Catalogue
from mmgraph.outputs.reading import read_table

TARGETS = 5  # of each source
EVIDENCE = "evidence."


@dataclass(frozen=True)
class Speaks:
    """What a piece adds to a score: its ``share``, ``start`` and ``width`` of its place in a bar, 0 to 1, of all that speak for it."""

    piece: str
    share: float
    start: float
    width: float


@dataclass(frozen=True)
class Guess:
    """One predicted target. truth: ``held out`` (a real link that training never saw) or ``unknown``.

    speaks: what speaks for it, the most first; empty where a single method was handed out.
    """

    target: str
    rank: int
    probability: float
    truth: str
    speaks: tuple[Speaks, ...] = ()


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
    sources = _unique(folder, "links", here)
    with_truth = set(_unique(folder, "held_out", {**here, "split": ["test"]}))
    chosen = evenly([source for source in sources if source in with_truth] or sources, count)
    rows = _by_source(folder, "links", {**here, "source": chosen})
    held = _by_source(folder, "held_out", {**here, "split": ["test"], "source": chosen})
    examples = (_example(source, rows[source], [row["target"] for row in held.get(source, [])]) for source in chosen)
    return LinkExamples(relation, len(sources), tuple(examples), bool(with_truth))


def _unique(folder: Path, stem: str, where: Mapping[str, Sequence[str]]) -> list[str]:
    table = read_table(folder, stem, where, ["source"])
    return [] if table is None else [str(source) for source in table["source"].unique().to_pylist()]


def _by_source(folder: Path, stem: str, where: Mapping[str, Sequence[str]]) -> dict[str, list[dict[str, Any]]]:
    table = read_table(folder, stem, where)
    found: dict[str, list[dict[str, Any]]] = {}
    for row in [] if table is None else table.to_pylist():
        found.setdefault(row["source"], []).append(row)
    return found


def _example(source: str, rows: list[dict[str, Any]], truths: Sequence[str]) -> LinkExample:
    true = set(truths)
    shown = [row for row in rows if not row["known"] or row["target"] in true][:TARGETS]
    guesses = tuple(
        Guess(
            row["target"], row["rank"], row["probability"], "held out" if row["target"] in true else "unknown", speaking(row)
        )
        for row in shown
    )
    seen = {guess.target for guess in guesses}
    ranks = {row["target"]: int(row["rank"]) for row in rows}
    return LinkExample(source, guesses, tuple((target, ranks.get(target)) for target in truths if target not in seen))


def speaking(row: Mapping[str, Any]) -> tuple[Speaks, ...]:
    """The columns ``evidence.<piece>`` of one row, the largest first. What speaks against it, below 0, has no width.

    >>> [(one.piece, one.share, one.width) for one in speaking({"evidence.a": 1.0, "evidence.b": 3.0, "evidence.c": None})]
    [('b', 3.0, 0.75), ('a', 1.0, 0.25)]
    """
    shares = {
        name.removeprefix(EVIDENCE): float(value)
        for name, value in row.items()
        if name.startswith(EVIDENCE) and value is not None
    }
    if len(shares) < 2:
        return ()
    ordered = sorted(shares, key=lambda piece: -shares[piece])
    total = sum(max(share, 0.0) for share in shares.values()) or 1.0
    found, start = list[Speaks](), 0.0
    for piece in ordered:
        width = max(shares[piece], 0.0) / total
        found.append(Speaks(piece, shares[piece], start, width))
        start += width
    return tuple(found)


def label_examples(folder: Path, catalogue: Catalogue, count: int) -> list[LabelExamples]:
    """For each field and kind of predictions/labels ``count`` test items and ``count`` unlabelled ones, evenly spaced."""
    table = read_table(folder, "labels", {})
    if table is None:
        return []
    frame = table.to_pandas()
    kinds = dict(zip(catalogue.items["id"], catalogue.items["kind"], strict=True))
    groups = frame.groupby(["field", frame["id"].map(kinds).fillna("")], sort=False)
    return [
        LabelExamples(
            str(field),
            str(kind),
            _guesses(rows[rows["split"] == "test"], catalogue.labels, count),
            _guesses(rows[rows["split"] == "unlabelled"], None, count),
        )
        for (field, kind), rows in groups
    ]


def _guesses(rows: pd.DataFrame, labels: pd.DataFrame | None, count: int) -> tuple[LabelGuess, ...]:
    """``labels``: of the catalogue, where the true classes are known; an item with several is right with any of them."""
    chosen = rows.iloc[evenly(range(len(rows)), count)]
    truths: dict[tuple[str, str], list[str]] = {}
    if labels is not None:
        for row in labels[labels["id"].isin(chosen["id"])].itertuples(index=False):
            truths.setdefault((str(row.id), str(row.field)), []).append(str(row.value))
    return tuple(
        LabelGuess(key, value, probability, _truth(value, truths.get((key, field), [])))
        for key, field, value, probability in chosen[["id", "field", "value", "probability"]].to_numpy().tolist()
    )


def _truth(called: str, truths: Sequence[str]) -> str | None:
    if not truths:
        return None
    return called if called in truths else ", ".join(truths)


def evenly(things: Sequence[Any], count: int) -> list[Any]:
    """At most ``count`` of them, evenly spaced, in their order.

    >>> evenly("abcdefg", 3), evenly("ab", 5), evenly("", 2), evenly("abc", 0)
    (['a', 'd', 'g'], ['a', 'b'], [], [])
    """
    if not things or count < 1:
        return []
    places = np.unique(np.linspace(0, len(things) - 1, min(count, len(things))).round().astype(int))
    return [things[place] for place in places]
