"""Labels split by time: what is oldest is shown, what is newest is asked."""

import numpy as np
import pandas as pd

from mmgraph.errors import SplitError
from mmgraph.graph.contract import Graph, Labels
from mmgraph.settings import LabelSplitSettings
from mmgraph.split.contract import LabelSplit
from mmgraph.split.label_groups import label_groups
from mmgraph.types import Times


def first_times(graph: Graph, kind: str) -> Times:
    """Seconds of each item's earliest link that has a time: float64 [items], NaN where it has none."""
    found = np.full(graph.count(kind), np.inf)
    for relation, edges in graph.edges.items():
        if edges.time is None:
            continue
        for end, items in ((relation.source, edges.source), (relation.target, edges.target)):
            if end == kind:
                np.fmin.at(found, items, edges.time)
    return np.where(np.isfinite(found), found, np.nan)


def split_by_time(graph: Graph, labels: Labels, settings: LabelSplitSettings) -> LabelSplit:
    """The oldest ``fraction`` of the labelled items is train, of the others the older ``valid`` share valid, the rest test.

    An item's time is that of its earliest link with one, a group's that of its oldest item; what is of one time stays together, and so
    do groups. The links of held-out items stay visible: it is their labels that are not known yet. Raises SplitError for a labelled
    item without a time.
    """
    items = np.flatnonzero(labels.values >= 0).astype(np.int64)
    time = first_times(graph, labels.kind)[items]
    if np.isnan(time).any():
        wrong = f"split.labels.method: time needs a link with a time for every labelled item of {labels.target}"
        given = f"{int(np.isnan(time).sum())} without, as {graph.ids[labels.kind][items[int(np.isnan(time).argmax())]]}"
        raise SplitError(wrong, given=given, todo="fill links.time, or take another method")
    group = label_groups(graph, labels.kind, settings.group)[items]
    oldest = pd.Series(time).groupby(group).transform("min").to_numpy()
    train = settings.fraction
    bounds = _bound(oldest, train), _bound(oldest, train + (1.0 - train) * settings.valid)
    side = np.searchsorted(np.array(bounds), oldest, side="right")
    return LabelSplit(labels, *(items[side == part] for part in range(3)))


def _bound(times: Times, share: float) -> float:
    """The first moment that is too late for this share of the items.

    >>> _bound(np.array([1.0, 2.0, 2.0, 3.0]), 0.5)
    2.0
    """
    ordered = np.sort(times)
    return float(ordered[min(round(share * len(ordered)), len(ordered) - 1)])
