"""Names that every stage shares."""

import re
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from mmgraph.errors import SettingsError

_NAME = r"[\w.\-]+"
Modality = Literal["image", "audio", "text"]
MODALITIES: tuple[Modality, ...] = ("image", "audio", "text")
SplitName = Literal["train", "valid", "test"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Times = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Strings = npt.NDArray[Any]


class Relation(NamedTuple):
    """The type of a link: kind of its source, its name, kind of its target.

    >>> str(Relation("segment", "follows", "segment"))
    'segment/follows/segment'
    >>> Relation.parse("video/set_to/music").target
    'music'
    """

    source: str
    name: str
    target: str

    def __str__(self) -> str:
        return "/".join(self)

    @property
    def reverse(self) -> "Relation":
        """The same links, read from target to source.

        >>> Relation("a", "r", "b").reverse
        Relation(source='b', name='rev_r', target='a')
        """
        return Relation(self.target, "rev_" + self.name, self.source)

    @classmethod
    def parse(cls, text: str) -> "Relation":
        """Read ``source/name/target``; raises SettingsError where the three parts are not there."""
        parts = text.split("/")
        if len(parts) != 3 or not all(re.fullmatch(_NAME, part) for part in parts):
            raise SettingsError("a relation has three names", given=text, todo="write it as source-kind/name/target-kind")
        return cls(*parts)
