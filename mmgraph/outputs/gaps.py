"""Gaps and their bridges, for a terminal and as a table."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.table import Table
from rich.text import Text

from mmgraph.evaluate.contract import OURS
from mmgraph.evaluate.gaps import Bridging, Gap
from mmgraph.evaluate.order import CHANCE
from mmgraph.outputs.order import format_of
from mmgraph.outputs.streamed import streamed
from mmgraph.outputs.terminal import ANY, table_of, widest
from mmgraph.types import Relation, Strings

_GAPS: dict[str, Any] = {
    "parent": pa.string(),
    "relation": pa.string(),
    "what": pa.string(),
    "source": pa.string(),
    "target": pa.string(),
    "gap_s": pa.float32(),
    "method": pa.string(),
    "score": pa.float32(),
    "confidence": pa.float32(),
    "chance": pa.float32(),
    "probability": pa.float32(),
    "abstain": pa.bool_(),
}
GAPS = pa.schema(_GAPS)
_WORDS = {"open": "not joined", "pause": "a pause", "jump": "a piece may be missing"}


def gaps_table(gaps: Sequence[Gap], ids: Strings, width: int = ANY) -> Table:
    """One line a gap; ids without the parent's, where they begin with it. Left out where they do not fit: chance, then probability."""
    every = ("seconds", "confidence", "abstain", "probability", "chance")
    return widest((_table(gaps, ids, every[:n]) for n in (5, 4, 3)), width)


def _table(gaps: Sequence[Gap], ids: Strings, numbers: Sequence[str]) -> Table:
    words = ("parent", "from", "to", "what")
    table = table_of("", (*words, *numbers), words)
    before = None
    for one in gaps:
        told = [
            "–" if one.gap_s is None else f"{one.gap_s:.1f}",
            f"{one.confidence:.3f}",
            "–" if one.abstain is None else "yes" if one.abstain else "no",
            "–" if one.probability is None else f"{one.probability:.3f}",
            f"{one.chance:.3f}",
        ]
        ends = (Text(str(ids[end]).removeprefix(one.group)) for end in (one.source, one.target))
        table.add_row(Text(one.group if one.group != before else ""), *ends, _WORDS[one.what], *told[: len(numbers)])
        before = one.group
    return table


def bridging_table(lines: Sequence[Bridging], relation: Relation) -> Table:
    """Methods, the best share first behind what the run hands out."""
    title = f"{relation}: test links found again as bridges (n = {lines[0].n})"
    table = table_of(title, ("method", "bridged correctly"), ("method",))
    for one in sorted(lines, key=lambda line: (line.method != OURS, line.method == CHANCE, -line.share)):
        text = Text(f"{one.share:.3f}")
        if one.low is not None and one.high is not None:
            text.append(f" [{one.low:.3f}, {one.high:.3f}]", style="dim")
        table.add_row(
            Text(one.method), text, style="bold green" if one.method == OURS else "dim" if one.method == CHANCE else ""
        )
    return table


def write_gaps(gaps: Sequence[Gap], relation: Relation, method: str, ids: Strings, path: Path) -> None:
    """One row a gap; raises SettingsError for an ending that is not written."""
    with streamed(path.parent, path.stem, GAPS, (format_of(path),)) as write:
        rows = [
            {
                **asdict(one),
                "parent": one.group,
                "relation": str(relation),
                "method": method,
                "source": str(ids[one.source]),
                "target": str(ids[one.target]),
            }
            for one in gaps
        ]
        write(pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in _GAPS.items()}, schema=GAPS))
