"""asked.csv: the items that a person should label next, with a column to fill in."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from mmgraph.catalogue.answers import ANSWER, HELP
from mmgraph.catalogue.contract import Catalogue
from mmgraph.errors import RunError
from mmgraph.media.clip import Source
from mmgraph.media.source import sources
from mmgraph.outputs.terminal import table_of
from mmgraph.runs import write_csv

_LONGEST = 200  # characters of a text


@dataclass(frozen=True)
class Asked:
    """One item to label, what the run takes it for, and how unsure it is, from 0 to 1."""

    id: str
    field: str
    likeliest: str
    probability: float
    uncertainty: float


def write_questions(asked: Sequence[Asked], catalogue: Catalogue, path: Path) -> None:
    """One row an item; ``value`` is empty. Raises RunError where the disk is full."""
    where = sources(catalogue)
    rows = ((one.id, one.field, "", *_helping(one, where)) for one in asked)
    write_csv(path, (*ANSWER, *HELP), rows)


def check_unanswered(path: Path, taken: Sequence[tuple[str, ...]]) -> None:
    """Raise RunError where writing to ``path`` would lose an answer that is not among those ``taken`` already (id, field, value)."""
    if not path.exists():
        return
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            answers = [tuple((row.get(name) or "").strip() for name in ANSWER) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RunError(f"{path} is there and no table of questions", given=error, todo="choose another with --to") from None
    known = set(taken)
    if lost := [one for one in answers if one[2] and one not in known]:
        given = f"{lost[0][0]}: {lost[0][2]}"
        todo = "`mmgraph update RUN FILE` first, or choose another with --to"
        raise RunError(f"{path} has {len(lost)} answers that the run has not taken", given=given, todo=todo)


def questions_table(asked: Sequence[Asked]) -> Table:
    """For a terminal."""
    words = ("id", "field", "likeliest")
    table = table_of(f"{len(asked)} to label next", (*words, "probability", "uncertainty"), words)
    for one in asked:
        numbers = (f"{one.probability:.3f}", f"{one.uncertainty:.3f}")
        table.add_row(Text(one.id), Text(one.field), Text(one.likeliest), *numbers)
    return table


def _helping(one: Asked, where: Mapping[str, Source]) -> tuple[object, ...]:
    source = where.get(one.id)
    told = (one.likeliest, f"{one.probability:.4f}", f"{one.uncertainty:.4f}")
    if source is None:
        return (*told, "", "", "", "")
    text = " ".join((source.text or "").split())[:_LONGEST]
    start, end = source.span.start_s, source.span.end_s
    return (*told, source.path or "", start if start or end else "", "" if end is None else end, text)
