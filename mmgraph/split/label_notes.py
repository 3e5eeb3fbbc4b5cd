"""What a person should know of the labels of a split, though it can go on."""

from collections.abc import Iterable

import numpy as np

from mmgraph.graph.contract import Graph, Labels
from mmgraph.split.contract import LabelSplit
from mmgraph.split.pairs import same_content


def label_notes(graph: Graph, splits: Iterable[LabelSplit]) -> list[str]:
    """One line a doubt: copies of one file that contradict each other, and more classes than validation items."""
    found = [note for split in splits for note in (_contradiction(graph, split.labels), _few_to_choose(split))]
    return [note for note in found if note]


def _contradiction(graph: Graph, labels: Labels) -> str:
    """Copies of one file with other values of a field."""
    first = same_content(graph, labels.kind)
    items = np.flatnonzero(labels.values >= 0)
    order = items[np.lexsort((items, first[items]))]
    of, before = order[1:], order[:-1]
    differ = (first[of] == first[before]) & (labels.has(of) != labels.has(before)).any(1)
    if not differ.any():
        return ""
    place = int(differ.argmax())
    named = (f"{graph.ids[labels.kind][item]} is {_values(labels, item)}" for item in (before[place], of[place]))
    files = len(np.unique(first[of[differ]]))
    return f"labels of {labels.target} contradict each other on copies of {files} files: {', '.join(named)}; correct one"


def _values(labels: Labels, item: int) -> str:
    return " and ".join(labels.classes[one] for one in np.flatnonzero(labels.has(np.array([item]))[0]))


def _few_to_choose(split: LabelSplit) -> str:
    classes, valid = len(split.labels.classes), len(split.valid)
    if not 0 < valid < classes:
        return ""
    start = (
        f"{split.labels.target} has more classes than validation items: {classes} for {valid}, so some class is never checked"
    )
    return f"{start} when choosing; label more, or raise split.labels.valid"
