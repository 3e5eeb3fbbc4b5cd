"""knock_outs.json, and the same as a table for a terminal or the report."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmgraph.errors import RunError
from mmgraph.evaluate.contract import OURS
from mmgraph.evaluate.effects import Effect, What
from mmgraph.outputs.scoreboard import NETWORK, title_of
from mmgraph.outputs.terminal import table_of, widest
from mmgraph.runs import read_json, write_json

METHODS = (NETWORK, OURS)
_TOLD: dict[What, str] = {
    "baseline": "best baseline: {}",
    "links": "without {}",
    "relation": "without {}",
    "modality": "without {}",
    "random": "random features for {}",
    "joint": "trained for this alone",
}


@dataclass(frozen=True)
class Line:
    """One way to do without something; effects by method, None where a method has none."""

    told: str
    effects: tuple[Effect | None, ...]


@dataclass(frozen=True)
class Knocked:
    """One target and metric: what each method of METHODS reaches with everything, and what is left without each part."""

    target: str
    metric: str
    n: int
    whole: tuple[float | None, ...]
    lines: tuple[Line, ...]


def knocked(effects: Sequence[Effect]) -> list[Knocked]:
    """Every target and metric once, in the order of the effects."""
    found = []
    for target, metric in dict.fromkeys((one.target, one.metric) for one in effects):
        mine = [one for one in effects if (one.target, one.metric) == (target, metric)]
        by_method = [[one for one in mine if one.method == method] for method in METHODS]
        keys = dict.fromkeys((one.what, one.name if one.what != "baseline" else "") for one in mine)
        lines = [_line(what, name, by_method) for what, name in keys]
        whole = tuple(one[0].whole if one else None for one in by_method)
        found.append(Knocked(target, metric, mine[0].n, whole, tuple(lines)))
    return found


def _line(what: What, name: str, by_method: Sequence[Sequence[Effect]]) -> Line:
    chosen = [next((one for one in some if one.what == what and name in (one.name, "")), None) for some in by_method]
    named = next(one.name for one in chosen if one is not None)
    return Line(_TOLD[what].format(named), tuple(chosen))


def write_knock_outs(effects: Sequence[Effect], path: Path) -> None:
    """``knock_outs.json``: what is in ``Effect``, and its sentence."""
    write_json(path, [{**asdict(one), "text": one.text} for one in effects])


def read_knock_outs(path: Path) -> list[Effect]:
    """What ``write_knock_outs`` wrote, nothing where it is not there; raises RunError where it is broken."""
    if not path.exists():
        return []
    try:
        return msgspec.convert(read_json(path), list[Effect])
    except msgspec.ValidationError as error:
        raise RunError(f"{path} is broken", given=error, todo="run `mmgraph ablate` again") from error


def show_knock_outs(console: Console, effects: Sequence[Effect]) -> None:
    """One table a target and metric; a number is what is left, beside it what the part had added."""
    for one in knocked(effects):
        console.print(widest((_table(one, apart) for apart in (" ", "\n")), console.width))
    if effects:
        text = "in brackets: what it added, its interval paired on the same test items; one fit each, so chance of training is not in it"
        console.print(text, highlight=False, markup=False, soft_wrap=True)


def _table(one: Knocked, apart: str) -> Table:
    """apart: what stands between a number and what the part had added."""
    title = f"{one.target}, {title_of(one.metric)}  (test, n = {one.n})"
    table = table_of(title, ["fit", *METHODS], ["fit"])
    table.add_row("with everything", *("–" if value is None else f"{value:.3f}" for value in one.whole), style="bold")
    for line in one.lines:
        table.add_row(Text(line.told), *(_cell(effect, apart) for effect in line.effects))
    return table


def _cell(one: Effect | None, apart: str) -> Text:
    if one is None:
        return Text("–", style="dim")
    text, told = Text(f"{one.without:.3f}{apart}"), f"{one.difference:+.3f}"
    if one.low is not None and one.high is not None:
        told += f" [{one.low:+.3f}, {one.high:+.3f}]"
    style = "dim" if not one.shown else "green" if one.difference > 0 else "red"
    return text.append(f"({told})", style=style)
