"""Which items have which modality: by what their file holds, not by the name of their kind."""

import numpy as np
import pandas as pd

from mmgraph.catalogue.contract import Catalogue
from mmgraph.catalogue.kinds import Held, held_by_name
from mmgraph.types import Bools, Modality

_GIVEN_BY: dict[Modality, frozenset[Held]] = {
    "image": frozenset({"moving", "still"}),
    "audio": frozenset({"sound"}),
    "text": frozenset({"text"}),
}


def having(catalogue: Catalogue, modality: Modality) -> Bools:
    """Which items [n] have a clip of ``modality``: a file that holds it, or a text that the catalogue carries.

    What ``media.segments.cut`` found in a file counts; for a file that it did not look at, its ending.
    """
    found = _holding(catalogue, _GIVEN_BY[modality])
    return found | catalogue.items["text"].notna().to_numpy(bool) if modality == "text" else found


def moving(catalogue: Catalogue) -> Bools:
    """Which items [n] lie in a file of moving pictures, of which several frames make a clip."""
    return _holding(catalogue, frozenset({"moving"}))


def _holding(catalogue: Catalogue, wanted: frozenset[Held]) -> Bools:
    items = catalogue.items
    pairs = zip(items["path"].tolist(), items["kind"].tolist(), strict=True)
    holds = catalogue.holds
    found: list[bool] = []
    for path, kind in pairs:
        held = () if path is None or pd.isna(path) else holds.get(path)
        found.append(not wanted.isdisjoint(held_by_name(path, kind) if held is None else held))
    return np.array(found, dtype=bool)
