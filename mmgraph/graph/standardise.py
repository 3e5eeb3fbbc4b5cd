"""Vectors told apart from those of their siblings: what all items of one parent have in common says nothing about any of them."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from mmgraph.catalogue.contract import Catalogue
from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Features
from mmgraph.types import Floats, Ints

_LEAST = 8  # items of a parent whose moments are their own; fewer have those of the kind
_VARIES = 1e-6

FeaturesByKind = Mapping[tuple[str, str], Features]


def within_parents(catalogue: Catalogue, features: FeaturesByKind) -> dict[tuple[str, str], Features]:
    """Every modality of a kind that has parents, standardised among the items of one parent: the speakers of recordings, the rooms of
    photos. Without labels, as Li et al. 2016 (Revisiting batch normalization for practical domain adaptation, arXiv 1603.04779) do for
    the layers of a network, and cepstral mean and variance normalisation does for speech (Viikki and Laurila 1998). Kinds without parents
    stay as they are. Raises SettingsError where no kind that has vectors has parents.
    """
    items = catalogue.items
    of_kind = {kind: items.loc[items["kind"] == kind, "parent"] for kind in {kind for kind, _ in features}}
    group = {kind: _groups(parents) for kind, parents in of_kind.items() if parents.notna().any()}
    if not group:
        todo = "fill items.parent, or set it to none"
        raise SettingsError("graph.standardise: parent finds no item that has a parent and vectors", todo=todo)
    return {
        key: replace(one, vectors=standardised(np.asarray(one.vectors), one.present, group[key[0]]))
        if key[0] in group
        else one
        for key, one in features.items()
    }


def standardised(vectors: Floats, present: np.ndarray, group: Ints) -> Floats:
    """Mean 0 and deviation 1 of each component over the present items of each group; a group of fewer than eight, and items of none (-1),
    by the moments of all. A component that does not vary in a group is 0 there.

    >>> standardised(np.array([[1.0], [3.0]], np.float32), np.array([True, True]), np.array([-1, -1])).ravel()
    array([-1.,  1.], dtype=float32)
    """
    out = np.zeros(vectors.shape, np.float32)
    size = np.bincount(group[present & (group >= 0)], minlength=int(group.max(initial=-1)) + 1)
    small = present & ((group < 0) | (size[np.maximum(group, 0)] < _LEAST) if len(size) else True)
    out[small] = _by_moments(vectors[small], vectors[present])
    for one in np.flatnonzero(size >= _LEAST):
        mine = present & (group == one)
        out[mine] = _by_moments(vectors[mine], vectors[mine])
    return out


def _by_moments(vectors: Floats, of: Floats) -> Floats:
    if not len(vectors):
        return vectors
    mean, deviation = of.mean(0, dtype=np.float64), of.std(0, dtype=np.float64)
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > _VARIES)
    return ((vectors - mean) * scale).astype(np.float32)


def _groups(parents: "pd.Series[str]") -> Ints:
    """A number for each item's parent, -1 without."""
    codes, _ = pd.factorize(parents)
    return codes.astype(np.int64)
