"""Groups that were put in order, for a terminal and as a table; how right each method is, beside chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.table import Table
from rich.text import Text

from mmgraph.errors import SettingsError
from mmgraph.evaluate.bootstrap import Statistic, draws, interval
from mmgraph.evaluate.contract import OURS
from mmgraph.evaluate.order import CHANCE, OrderedGroup, chance_abs_tau
from mmgraph.outputs.streamed import Format, streamed
from mmgraph.outputs.terminal import table_of
from mmgraph.settings import EvaluateSettings
from mmgraph.types import Relation, Strings

_ORDER: dict[str, Any] = {
    "parent": pa.string(),
    "relation": pa.string(),
    "method": pa.string(),
    "position": pa.int32(),
    "id": pa.string(),
    "true_position": pa.int32(),
    "score": pa.float32(),
    "confidence": pa.float32(),
    "probability": pa.float32(),
    "abstain": pa.bool_(),
    "train": pa.int32(),
    "valid": pa.int32(),
    "test": pa.int32(),
}
ORDER = pa.schema(_ORDER)


@dataclass(frozen=True)
class Right:
    """How right a method is on ``n`` groups: mean ``tau`` with its interval over groups, mean ``apart`` |tau|, the share of groups that are
    wholly ``exact``, and of those whose direction it tells (``directed``).
    """

    method: str
    n: int
    tau: float
    low: float | None
    high: float | None
    apart: float
    exact: float
    directed: float


def rightness(groups: Sequence[OrderedGroup], settings: EvaluateSettings, seed: int) -> list[Right]:
    """Every method on the groups whose true order is known, then what chance gives; nothing without such groups."""
    known = [one for one in groups if one.place is not None]
    if not known:
        return []
    names = list(known[0].ordered)
    taus = np.array([[one.tau(name) for one in known] for name in names])
    ones = np.ones(len(known))
    drawn = np.zeros((len(names), 0))
    if settings.bootstrap:
        drawn = draws([Statistic(np.stack((row, ones), axis=1)) for row in taus], settings.bootstrap, seed)
    lines = []
    for name, row, draw in zip(names, taus, drawn, strict=True):
        low, high = interval(draw, settings.level) if len(draw) else (None, None)
        told = float(np.mean([one.ordered[name].directed for one in known]))
        lines.append(
            Right(name, len(known), float(row.mean()), low, high, float(np.abs(row).mean()), float((row == 1.0).mean()), told)
        )
    sizes = [len(one.items) for one in known]
    apart, exact = (
        float(np.mean(each)) for each in ([chance_abs_tau(n) for n in sizes], [1 / math.factorial(n) for n in sizes])
    )
    return [*lines, Right(CHANCE, len(known), 0.0, None, None, apart, exact, 0.0)]


def rightness_table(lines: Sequence[Right], relation: Relation) -> Table:
    """Methods, the best mean tau first behind what the run hands out; the last columns are shares of the groups."""
    title = f"{relation}: Kendall's tau with the true order (n = {lines[0].n})"
    table = table_of(title, ("method", "mean tau", "mean |tau|", "all right", "directed"), ("method",))
    for one in sorted(lines, key=lambda line: (line.method != OURS, line.method == CHANCE, -line.tau)):
        text = Text(f"{one.tau:+.3f}")
        if one.low is not None and one.high is not None:
            text.append(f" [{one.low:+.3f}, {one.high:+.3f}]", style="dim")
        style = "bold green" if one.method == OURS else "dim" if one.method == CHANCE else ""
        table.add_row(Text(one.method), text, f"{one.apart:.3f}", f"{one.exact:.0%}", f"{one.directed:.0%}", style=style)
    return table


def group_table(one: OrderedGroup, method: str, ids: Strings) -> Table:
    """One group in the order of a method."""
    heads = ("#", "id", "true #", "next follows: confidence", "probability", "abstain")
    table = table_of(f"{one.name}  ({len(one.items)} in the order of {method})", heads, ("id",))
    places, order = one.places(method), one.ordered[method]
    for number, (item, place) in enumerate(zip(order.items, places, strict=True)):
        true = Text("–" if place < 0 else str(place + 1), style="" if place in (-1, number) else "yellow")
        told = ["", "", ""]
        if number < len(order.confidence):
            told[0] = f"{order.confidence[number]:.3f}"
            if method == OURS:
                told[1:] = f"{one.probability[number]:.3f}", "yes" if one.abstain[number] else "no"
        table.add_row(str(number + 1), Text(str(ids[item])), true, *told)
    return table


def groups_table(groups: Sequence[OrderedGroup], method: str) -> Table:
    """One line a group."""
    table = table_of(f"in the order of {method}", ("parent", "parts", "train", "valid", "test", "tau"), ("parent",))
    for one in groups:
        table.add_row(
            Text(one.name), str(len(one.items)), *map(str, one.links), "–" if one.place is None else f"{one.tau(method):+.3f}"
        )
    return table


def told_of(groups: Sequence[OrderedGroup]) -> str:
    """What of the links of the groups the run has seen, in one sentence."""
    train, valid, test = (sum(one.links[part] for one in groups) for part in range(3))
    seen = f"the weights were trained with {train} of them" if train else "the weights were trained with none of them"
    return (
        f"no times were read; of the {train + valid + test} known links none was in the graph that put its ends in order; {seen}, "
        f"{valid} chose the epoch, {test} are test links"
    )


def write_order(groups: Sequence[OrderedGroup], relation: Relation, ids: Strings, path: Path) -> None:
    """One row a group, method and item; ``score`` to ``abstain`` are of its link to the next. Raises SettingsError for another ending."""
    with streamed(path.parent, path.stem, ORDER, (format_of(path),)) as write:
        for one in groups:
            for method in one.ordered:
                write(_rows(one, method, relation, ids))


def format_of(path: Path) -> Format:
    """By the ending of a file; raises SettingsError for one that is not written."""
    for name in ("parquet", "csv", "json"):
        if path.suffix == f".{name}":
            return name
    raise SettingsError("--to must end in .parquet, .csv or .json", given=path)


def _rows(one: OrderedGroup, method: str, relation: Relation, ids: Strings) -> pa.Table:
    order, places = one.ordered[method], one.places(method)
    ours = method == OURS
    columns: dict[str, Any] = {
        "position": np.arange(1, len(places) + 1),
        "id": [str(ids[item]) for item in order.items],
        "true_position": [None if place < 0 else int(place) + 1 for place in places],
        "score": [*order.score.tolist(), None],
        "confidence": [*order.confidence.tolist(), None],
        "probability": _with_none(one.probability if ours else None, len(places)),
        "abstain": _with_none(one.abstain if ours else None, len(places)),
    }
    alike: dict[str, Any] = {"parent": one.name, "relation": str(relation), "method": method}
    alike |= dict(zip(("train", "valid", "test"), one.links, strict=True))
    columns |= {name: [value] * len(places) for name, value in alike.items()}
    return pa.table({name: pa.array(columns[name], kind) for name, kind in _ORDER.items()}, schema=ORDER)


def _with_none(values: Any, count: int) -> list[Any]:
    return [None] * count if values is None else [*values.tolist(), None]
