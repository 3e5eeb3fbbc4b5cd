"""A bar with time left for anything longer than two seconds; silent where nobody looks."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

Thing = TypeVar("Thing")


class _Rate(ProgressColumn):
    """Things a second, over the last half minute."""

    def __init__(self, unit: str) -> None:
        super().__init__(Column(no_wrap=True))
        self._unit = unit

    def render(self, task: Task) -> Text:
        """See ProgressColumn."""
        speed = task.finished_speed or task.speed
        return Text(f"{self._unit}, {speed:,.{0 if speed >= 10 else 1}f} {self._unit}/s" if speed else self._unit)


class Bar:
    """Counts things done. Used as a context manager; ``advance(n)`` after each batch."""

    def __init__(self, what: str, total: int, unit: str = "items") -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(unit),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(file=sys.stderr),
            disable=not sys.stderr.isatty() or total == 0,
            transient=True,
        )
        self._task = self._progress.add_task(what, total=total)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._progress.stop()

    def advance(self, count: int = 1) -> None:
        """Say that ``count`` more are done."""
        self._progress.update(self._task, advance=count)


def track(things: Iterable[Thing], what: str, total: int, unit: str = "items") -> Iterator[Thing]:
    """Yield ``things`` under a bar."""
    with Bar(what, total, unit) as bar:
        for thing in things:
            yield thing
            bar.advance()
