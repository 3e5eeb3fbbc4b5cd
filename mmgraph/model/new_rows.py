"""Rows of the tables of ids for items that training has not seen: what their neighbours have."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from mmgraph.graph.contract import Graph
from mmgraph.model.contract import named
from mmgraph.model.network import Network
from mmgraph.types import Ints

_ROUNDS = 3  # new items that are linked only with new items hear of old ones in as many steps


@torch.no_grad()
def fill_rows(network: Network, graph: Graph, before: Mapping[str, int]) -> None:
    """Give the items behind the first ``before[kind]`` of each kind the mean row of their neighbours over all edges of ``graph``, both
    ways, as long as the rows of their kind are in the mean; the mean row of their kind where no neighbour has one.

    Only kinds whose vectors are learned by id have rows; of the others what an item has in features is all that there is to it.
    """
    tables = {kind: table for kind in graph.ids if (table := _table(network, kind)) is not None and before.get(kind)}
    known = {kind: torch.arange(len(table)) < before[kind] for kind, table in tables.items()}
    means = {kind: table[known[kind]].mean(0) for kind, table in tables.items()}
    lengths = {kind: table[known[kind]].norm(dim=1).mean() for kind, table in tables.items()}
    for kind, table in tables.items():
        table[~known[kind]] = means[kind]
    for _ in range(_ROUNDS):
        heard = {kind: _heard(graph, kind, tables, known) for kind in tables}
        for kind, (rows, has) in heard.items():
            new = has & ~known[kind]
            tables[kind][new] = nn.functional.normalize(rows[new]) * lengths[kind]
            known[kind] |= new


def _table(network: Network, kind: str) -> Tensor | None:
    ids = getattr(network.inputs.kinds[named(kind)], "ids", None)
    return ids.weight.data if isinstance(ids, nn.Embedding) else None


def _heard(graph: Graph, kind: str, tables: Mapping[str, Tensor], known: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Sum of the known neighbours' rows of every item that is not known, and whether there are any."""
    sums, has = torch.zeros_like(tables[kind]), torch.zeros(len(tables[kind]), dtype=torch.bool)
    asking = (~known[kind]).numpy()
    for items, other, neighbours in _neighbours(graph, kind):
        if other not in tables:
            continue
        use = torch.from_numpy(asking[items]) & known[other][neighbours]
        item, neighbour = torch.from_numpy(items)[use], torch.from_numpy(neighbours)[use]
        sums.index_add_(0, item, tables[other][neighbour])
        has[item] = True
    return sums, has


def _neighbours(graph: Graph, kind: str) -> Iterator[tuple[Ints, str, Ints]]:
    """(items of the kind, kind of their neighbours, the neighbours) of every relation, once for each end of the kind."""
    for relation, edges in graph.edges.items():
        if relation.source == kind:
            yield np.asarray(edges.source), relation.target, np.asarray(edges.target)
        if relation.target == kind:
            yield np.asarray(edges.target), relation.source, np.asarray(edges.source)
