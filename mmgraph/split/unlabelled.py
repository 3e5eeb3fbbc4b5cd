"""Items without a label, and which of them could be labelled and trained on without touching what is held out."""

import numpy as np

from mmgraph.graph.contract import Graph
from mmgraph.split.contract import LabelSplit
from mmgraph.split.label_groups import label_groups
from mmgraph.types import Bools, Ints


def unlabelled(split: LabelSplit) -> Ints:
    """Positions of the items without any label; items of open classes have one, which nobody may know."""
    return np.setdiff1d(np.flatnonzero(split.labels.values < 0), split.open).astype(np.int64)


def with_held_out(graph: Graph, split: LabelSplit, group: str) -> Bools:
    """Which items belong with a valid or test item (as ``split.labels.group`` says, and copies of one file): bool [items].

    Trained on, they would tell what is asked of it: nobody may, as in the split itself.
    """
    of = label_groups(graph, split.labels.kind, group)
    return np.isin(of, of[np.concatenate((split.valid, split.test))])
