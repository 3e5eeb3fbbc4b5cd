"""A bar with time left for anything longer than two seconds; silent where nobody looks."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Thing = TypeVar("Thing")


class Bar:
    """Counts things done. Used as a context manager; ``advance(n)`` after each batch."""

    def __init__(self, what: str, total: int, unit: str = "items") -> None:
        self._what, self._total, self._unit = what, total, unit
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}, {task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(file=sys.stderr),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        self._task = self._progress.add_task(what, total=total, unit=unit, rate="")

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._progress.stop()

    def advance(self, count: int = 1) -> None:
        """Say that ``count`` more are done."""
        task = self._progress.tasks[0]
        rate = f"{task.speed:.0f} {self._unit}/s" if task.speed else ""
        self._progress.update(self._task, advance=count, rate=rate)


def track(things: Iterable[Thing], what: str, total: int, unit: str = "items") -> Iterator[Thing]:
    """Yield ``things`` under a bar."""
    with Bar(what, total, unit) as bar:
        for thing in things:
            yield thing
            bar.advance()
