"""What a finished run is given, read against what it knows: a person's answers, or new links. Either way a grown split to train on."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from mmgraph import registry
from mmgraph.catalogue.answers import ANSWER, read_answers
from mmgraph.catalogue.contract import Catalogue, Stands
from mmgraph.catalogue.new_links import LINK, holds_links, read_new_links
from mmgraph.catalogue.tables import Table
from mmgraph.errors import RunError
from mmgraph.graph.contract import Graph
from mmgraph.rerun import Reopened, divides_anew, joined_with, with_answers
from mmgraph.runs import RunFolder, write_csv
from mmgraph.split.answered import answered
from mmgraph.split.contract import Split
from mmgraph.split.new_links import Linked, linked
from mmgraph.types import Relation


@dataclass(frozen=True)
class Taken:
    """``graph``, ``split`` and ``catalogue`` with what was given; ``targets``: fields or relations that have more now. asked: tells a call
    that was cut off from another one; keep: writes what was given, with all that was given before, into a folder. counts: ``answers`` or
    ``links``, ``known``, ``aside``, ``classes`` and ``items`` as in Update. moved: what is held out is not what it was.
    """

    graph: Graph
    split: Split
    catalogue: Catalogue
    targets: tuple[str, ...]
    asked: Mapping[str, Any]
    keep: Callable[[RunFolder], None]
    counts: Mapping[str, Any] = field(default_factory=dict)
    moved: bool = False


def taken(opened: Reopened, file: Path, new_classes: bool) -> Taken:
    """Read the file by its columns. Raises CatalogueError, with the row, for what cannot be taken, RunError where nothing is new."""
    relations = tuple(opened.split.links)
    return _links(opened, file) if holds_links(file, relations) else _answers(opened, file, new_classes)


def _answers(opened: Reopened, file: Path, new_classes: bool) -> Taken:
    table = read_answers(file)
    given = answered(opened.split, opened.graph, table, opened.settings.split.labels.group, new_classes)
    if not given.rows:
        raise RunError("the run knows all of these answers", given=f"{given.known} answers", todo="give it new ones")
    before = _rows(opened.run.answers, ANSWER)

    def keep(new: RunFolder) -> None:
        write_csv(new.answers, ANSWER, [*before, *given.rows])

    counts = {"answers": len(given.rows), "known": given.known, "aside": given.aside, "classes": dict(given.classes)}
    asked = {"rows": [list(row) for row in given.rows]}
    return Taken(opened.graph, given.split, opened.catalogue, given.targets, asked, keep, counts)


def _links(opened: Reopened, file: Path) -> Taken:
    settings, moved = opened.settings, divides_anew(opened.settings)
    table = read_new_links(file, tuple(opened.split.links))
    given = linked(opened.graph, None if moved else opened.split, table, opened.catalogue.repeated)
    if not len(given.rows):
        told = f"{given.known} links that are known, {given.aside} that are held out"
        raise RunError("the run knows all of these links", given=told, todo="give it new ones")
    graph, split, catalogue = joined_with(settings, opened.graph, None if moved else opened.split, opened.catalogue, given)
    _check(opened, table, given, catalogue, split)
    if moved:
        split = with_answers(opened.run, split, graph, settings.split.labels.group)
    before = _rows(opened.run.new_links, LINK)
    rows = [tuple("" if one is None else one for one in row) for row in given.rows.itertuples(index=False)]

    def keep(new: RunFolder) -> None:
        write_csv(new.new_links, LINK, [*before, *rows])

    counts = {
        "links": len(rows), "known": given.known, "aside": given.aside,
        "items": {kind: len(names) for kind, names in given.more.items()},
    }  # fmt: skip
    asked = {"links": hashlib.sha256(repr(rows).encode()).hexdigest()}
    return Taken(graph, split, catalogue, given.relations, asked, keep, counts, moved)


def _check(opened: Reopened, table: Table, given: Linked, catalogue: Catalogue, split: Split) -> None:
    """What the tasks want of links, the new ones keep as well; ``split``, ``catalogue``: with them."""
    names = [Relation.parse(one).name for one in given.rows["relation"]]
    weight = pd.to_numeric(given.rows["weight"])
    links = given.rows.assign(relation=names, weight=weight.fillna(1.0))
    stands = Stands(given.at, table.place, weight.notna().to_numpy())
    for task in tasks_of(opened):
        task.check(replace(catalogue, links=links, stands=stands))
        task.check_grown(opened.split, split)


def _rows(path: Path, columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    """What was taken before."""
    if not path.exists():
        return []
    table = read_answers(path) if columns == ANSWER else read_new_links(path, ())
    frame = table.frame[list(columns)]
    return [tuple("" if one is None else str(one) for one in row) for row in frame.itertuples(index=False)]


def tasks_of(opened: Reopened) -> list[Any]:
    """The run's tasks, made anew."""
    return [registry.create("task", task) for task in opened.settings.tasks]
