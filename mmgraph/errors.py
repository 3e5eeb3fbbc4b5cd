"""What can go wrong in a person's hands, each said in one line."""

from collections.abc import Sequence

_LONGEST = 400  # characters of what was given


class MMGraphError(Exception):
    """A person's mistake, or a machine's limit: what is wrong, what was given, what to do.

    The command line prints it in one line and exits 2; ``str()`` gives that line.
    """

    exit_status = 2

    def __init__(self, wrong: str, *, given: object = None, todo: str = "") -> None:
        self.wrong, self.given, self.todo = wrong, given, todo
        super().__init__(wrong, given, todo)

    def __str__(self) -> str:
        parts = [self.wrong]
        if self.given is not None:
            parts.append(f"given: {_short(str(self.given))}")
        if self.todo:
            parts.append(self.todo)
        return " ".join("; ".join(parts).split())


def first_of(names: Sequence[str]) -> str:
    """The first five, for a message; names that are no text (of files) can be printed.

    >>> first_of([*"abcdef"])
    'a, b, c, d, e, ...'
    """
    return ", ".join(names[:5]).encode("utf-8", "backslashreplace").decode() + (", ..." if len(names) > 5 else "")


def _short(text: str) -> str:
    """Enough to know it again.

    >>> len(_short("x" * 5000))
    400
    """
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


class SettingsError(MMGraphError):
    """A key or value of the YAML, or of the command line, that cannot be used."""


class CatalogueError(MMGraphError):
    """A table or folder that breaks a rule; names file, row and column."""


class MediaError(MMGraphError):
    """One file that cannot be decoded; its item is quarantined, the run goes on."""


class EncoderError(MMGraphError):
    """An encoder whose weights cannot be had, or that cannot read what it is given."""


class StoreError(MMGraphError):
    """Features that do not fit: width, ids, or values that are not finite."""


class GraphError(MMGraphError):
    """A graph that cannot be built as asked."""


class SplitError(MMGraphError):
    """Links or labels that cannot be split as asked."""


class LeakError(SplitError):
    """Something held out can be seen in training; the run stops before it starts."""


class ModelError(MMGraphError):
    """A model whose memory cannot be told before it is trained."""


class RunError(MMGraphError):
    """A run folder that cannot be used or written."""


class NothingLeft(MediaError):
    """Every file was quarantined: there is nothing to go on with."""

    exit_status = 1
