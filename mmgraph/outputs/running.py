"""What surrounds a run: its log (everything to log.jsonl, warnings also to the person), and Ctrl-C."""

import contextlib
import logging
import signal
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


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C is KeyboardInterrupt: Lightning makes exit status 1 of it, and leaves the process deaf to the next one."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as left:
        if not isinstance(left.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt from left
