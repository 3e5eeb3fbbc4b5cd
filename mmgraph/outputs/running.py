"""The log of a run: everything to log.jsonl, warnings also to the person."""

import contextlib
import logging
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.logging import RichHandler

from mmgraph.outputs.records import JsonLog
from mmgraph.runs import RunFolder


@contextlib.contextmanager
def logged(run: RunFolder) -> Iterator[None]:
    """While the block runs, mmgraph's log goes to the run folder, and its warnings to stderr."""
    root = logging.getLogger("mmgraph")
    level = root.level
    seen = RichHandler(logging.WARNING, console=Console(file=sys.stderr), show_time=False, show_path=False)
    handlers: tuple[logging.Handler, ...] = (JsonLog(run.log), seen)
    root.setLevel(logging.INFO)
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield
    finally:
        root.setLevel(level)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
