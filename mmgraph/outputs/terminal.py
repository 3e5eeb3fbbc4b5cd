"""Tables that fit the terminal on which they are printed."""

import re
import textwrap
from collections.abc import Collection, Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmgraph.evaluate.contract import Row

ANY = 10_000  # columns: as wide as the table likes
_HEAD = 8  # characters of a line above numbers
_TITLE = 78  # of a line of a title, which may be longer than the table is wide


def table_of(title: str, heads: Sequence[str], words: Collection[str]) -> Table:
    """A table of these columns: those of ``words`` are folded where the terminal is narrow, the others hold numbers, which never are."""
    lines = textwrap.wrap(title, _TITLE, break_long_words=False, break_on_hyphens=False)
    told = Text("\n".join(lines), no_wrap=True, overflow="ignore")
    table = Table(title=told if title else None, title_justify="left", title_style="bold", pad_edge=False)
    for head in heads:
        if head in words:
            table.add_column(Text(head), overflow="fold")
        else:
            table.add_column(Text(broken(head)), justify="right", no_wrap=True)
    return table


def widest(tables: Iterable[Table], width: int) -> Table:
    """The first of ``tables`` that fits into ``width`` columns with no cell folded, else the last."""
    wide, every = Console(width=ANY), list(tables)
    return next((one for one in every if wide.measure(one).maximum <= width), every[-1])


def broken(head: str) -> str:
    r"""A head in short lines, broken at spaces and behind ``_`` and ``:``.

    >>> broken("Calibration error"), broken("MRR"), broken("resource_allocation MRR")
    ('Calibration\nerror', 'MRR', 'resource_\nallocation\nMRR')
    """
    lines = [""]
    for part in re.findall(r"[^\s_:]*[_:\s]|[^\s_:]+$", head):
        if lines[-1] and len((lines[-1] + part).rstrip()) > _HEAD:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def number(row: Row | None, interval: bool = True) -> Text:
    """The value of a row, and its interval."""
    if row is None:
        return Text("–", style="dim")
    text = Text(f"{row.value:.3f}")
    if interval and row.low is not None and row.high is not None:
        text.append(f" [{row.low:.3f}, {row.high:.3f}]", style="dim")
    return text
