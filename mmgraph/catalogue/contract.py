"""The catalogue: checked tables of items, links and labels, and the contract of what reads them."""

import abc
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from mmgraph.catalogue.kinds import Held
from mmgraph.types import Bools, Ints

ITEM_COLUMNS = ("id", "kind", "path", "text", "parent", "start_s", "end_s")
LINK_COLUMNS = ("source", "relation", "target", "time", "weight", "split")
LABEL_COLUMNS = ("id", "field", "value", "split")
UNUSABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # in an id: ids stand one a line in files, as UTF-8
Repeated = Literal["add", "last"]
"""Of rows of one link: their weights added and the earliest time, or the newest row in their place."""
MEDIA_KINDS = ("video", "segment", "image", "music", "text")


@dataclass(frozen=True)
class GivenFeatures:
    """Vectors that a person brings: ``path`` is an .npy of [len(ids), width] float32, ``ids`` name its rows."""

    kind: str
    modality: str
    path: Path
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Unread:
    """One file or row that could not be used, and why; it ends in quarantine.csv."""

    id: str
    path: str
    reason: str


@dataclass(frozen=True)
class Stands:
    """Where links stand: ``row`` int64 [links], of the table that was read; ``place``: a row of it -> file and row, for a message;
    weighted: bool [links], whether the row gives a weight.
    """

    row: Ints
    place: Callable[[int], str]
    weighted: Bools

    def take(self, links: Bools) -> "Stands":
        """Of the links under the mask."""
        return Stands(self.row[links], self.place, self.weighted[links])


@dataclass(frozen=True)
class Catalogue:
    """What there is. Checked once by ``check.checked`` and not written to afterwards.

    items: ITEM_COLUMNS; ``id`` unique str, ``kind`` str, ``path`` absolute str or None, ``text`` str or None, ``parent`` the id
    of another item or None, ``start_s`` and ``end_s`` float seconds in the parent's time or NaN. Index 0..n-1.
    links: LINK_COLUMNS; ``time`` float seconds (NaN unknown), ``weight`` float (1.0 when not given), ``split`` None or a SplitName.
    labels: LABEL_COLUMNS; several values of one field on one item make the field multi-label.
    holds: path -> what the file holds by its content; filled by ``media.segments.cut``, until then its ending tells. stands: where links
    were read; None where they come from no file. repeated: how rows of one link were merged.
    """

    items: pd.DataFrame
    links: pd.DataFrame
    labels: pd.DataFrame
    features: tuple[GivenFeatures, ...] = ()
    unread: tuple[Unread, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    holds: Mapping[str, tuple[Held, ...]] = field(default_factory=dict)
    stands: Stands | None = None
    repeated: Repeated = "add"

    def kinds(self) -> dict[str, int]:
        """How many items of each kind, in order of first appearance."""
        counts = self.items.groupby("kind", sort=False).size()
        return {str(kind): int(count) for kind, count in counts.items()}

    def place(self, link: int) -> str:
        """Where the link at this position stands, as a message says it."""
        if self.stands is not None:
            return self.stands.place(int(self.stands.row[link]))
        return " ".join(str(self.links[column].iloc[link]) for column in ("source", "relation", "target"))

    def without(self, unread: tuple[Unread, ...]) -> "Catalogue":
        """Leave out items that cannot be read, with their children, links and labels."""
        gone = {one.id for one in unread}
        while True:
            children = set(self.items.loc[self.items["parent"].isin(gone), "id"]) - gone
            if not children:
                break
            gone |= children
        items = self.items[~self.items["id"].isin(gone)].reset_index(drop=True)
        linked = self.links["source"].isin(gone) | self.links["target"].isin(gone)
        return replace(
            self,
            items=items,
            links=self.links[~linked].reset_index(drop=True),
            labels=self.labels[~self.labels["id"].isin(gone)].reset_index(drop=True),
            unread=self.unread + unread,
            stands=self.stands and self.stands.take(~linked.to_numpy()),
        )


def items_frame(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows with any of ITEM_COLUMNS -> a frame with all of them, of the documented types."""
    frame = pd.DataFrame(rows, columns=list(ITEM_COLUMNS), dtype=object)
    for column in ("start_s", "end_s"):
        frame[column] = pd.to_numeric(frame[column]).astype(np.float64)
    return _none_for_missing(frame, ("path", "text", "parent"))


def links_frame(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows with any of LINK_COLUMNS -> a frame with all of them, of the documented types."""
    frame = pd.DataFrame(rows, columns=list(LINK_COLUMNS), dtype=object)
    frame["time"] = pd.to_numeric(frame["time"]).astype(np.float64)
    frame["weight"] = pd.to_numeric(frame["weight"]).astype(np.float64).fillna(1.0)
    return _none_for_missing(frame, ("split",))


def labels_frame(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows with any of LABEL_COLUMNS -> a frame with all of them, of the documented types."""
    return _none_for_missing(pd.DataFrame(rows, columns=list(LABEL_COLUMNS), dtype=object), ("split",))


def _none_for_missing(frame: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    for column in columns:
        values = frame[column].astype(object)
        frame[column] = values.where(values.notna(), None)
    return frame


class Importer(abc.ABC):
    """Reads a person's folder or tables. One file in ``importers/`` with one class, a ``dataclass(frozen=True, kw_only=True)``."""

    @abc.abstractmethod
    def read(self) -> Catalogue:
        """Read and check; raises CatalogueError that names file, row and column."""
