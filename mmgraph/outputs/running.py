"""What surrounds a run: its log (everything to log.jsonl, warnings also to the person), and Ctrl-C."""

import contextlib
import logging
import signal
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.logging import RichHandler

from mmgraph.outputs.records import JsonLog, messages
from mmgraph.runs import RunFolder


@contextlib.contextmanager
def logged(run: RunFolder) -> Iterator[None]:
    """While the block runs, mmgraph's log goes to the run folder, and its warnings to stderr."""
    root = logging.getLogger("mmgraph")
    level = root.level
    handlers: tuple[logging.Handler, ...] = (JsonLog(run.log), _seen())
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


def _seen() -> logging.Handler:
    """Warnings for a person; one a line where a file or another program takes them."""
    if sys.stderr.isatty():
        return RichHandler(logging.WARNING, console=Console(file=sys.stderr), show_time=False, show_path=False)
    plain = logging.StreamHandler(sys.stderr)
    plain.setLevel(logging.WARNING)
    plain.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    return plain


@contextlib.contextmanager
def unsaid() -> Iterator[None]:
    """While the block runs, mmgraph says nothing but errors: what it would say was said before, or will be."""
    log = logging.getLogger("mmgraph")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


@contextlib.contextmanager
def not_again(run: RunFolder) -> Iterator[None]:
    """While the block runs, mmgraph does not say what stands in the run's log.jsonl: of a finished run only what is new is said."""
    said = messages(run.log)

    def new(record: logging.LogRecord) -> bool:
        return record.getMessage() not in said

    handlers = [*logging.getLogger("mmgraph").handlers, *logging.getLogger().handlers]
    handlers += [logging.lastResort] if logging.lastResort else []
    for handler in handlers:
        handler.addFilter(new)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(new)


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
