"""A split whose graph is given more: new links of what is asked are train links, and what is held out stays."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mmgraph.graph.contract import Edges
from mmgraph.graph.grown import grown, grown_labels
from mmgraph.graph.merge import joined
from mmgraph.split.contract import LabelSplit, LinkSplit, Split
from mmgraph.split.make import made_again


def grown_split(split: Split, more: Mapping[str, Sequence[str]], links: Sequence[Edges]) -> Split:
    """The split of the graph with further items and links, as ``graph.grown`` adds them.

    A link of a target relation that is not known yet becomes a train link. Of those that are held out already the caller takes care:
    they must not be among ``links``, as these are all visible.
    """
    new = {one.relation: one for one in links}
    targets = {relation: _links(one, new[relation]) if relation in new else one for relation, one in split.links.items()}
    labels = {name: _labels(one, more) for name, one in split.labels.items()}
    visible = grown(split.visible, more, links)
    return replace(
        split,
        links=targets,
        labels=labels,
        visible=visible.with_edges(made_again(visible, split.visible.edges, visible.edges, [])),
    )


def _links(split: LinkSplit, new: Edges) -> LinkSplit:
    edges = joined(split.edges, new)
    train = np.concatenate([split.train, np.arange(len(split.edges), len(edges), dtype=np.int64)])
    return replace(split, edges=edges, train=train)


def _labels(split: LabelSplit, more: Mapping[str, Sequence[str]]) -> LabelSplit:
    return replace(split, labels=grown_labels(split.labels, len(more.get(split.labels.kind, ()))))
