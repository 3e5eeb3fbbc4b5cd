"""Masks of train, validation and test, as other formats have them, to splits."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mmgraph.errors import CatalogueError
from mmgraph.types import Bools, Strings

MASKS = {"train_mask": "train", "val_mask": "valid", "valid_mask": "valid", "test_mask": "test"}
_WORDS = {"true": True, "t": True, "1": True, "1.0": True, "false": False, "f": False, "0": False, "0.0": False}


def split_of(masks: Mapping[str, Bools], count: int, place: Callable[[int], str]) -> Strings:
    """Name of mask -> bool [count], to ``train``, ``valid``, ``test`` or None of each row.

    Raises CatalogueError for a row that is in two of them.
    """
    split = np.full(count, None, dtype=object)
    for name, mask in masks.items():
        twice = mask & (split != None) & (split != MASKS[name])  # noqa: E711 - element by element
        if twice.any():
            at = int(np.argmax(twice))
            wrong = f"{place(at)}: it is in {name} and in that of {split[at]}"
            raise CatalogueError(wrong, todo="each row belongs to one split at most")
        split[mask] = MASKS[name]
    return split


def truth(words: Sequence[str | None], name: str, place: Callable[[int], str]) -> Bools:
    """Words for true and false (True, 1, 1.0, …; nothing is false) as bool; raises CatalogueError for any other."""
    found = {word: _WORDS.get(word.strip().lower()) if word else False for word in set(words)}
    bad = [word for word, value in found.items() if value is None]
    if bad:
        at = list(words).index(bad[0])
        raise CatalogueError(f"{place(at)}, column {name!r}: neither true nor false", given=bad[0], todo="write True or False")
    return np.array([found[word] for word in words], dtype=bool)
