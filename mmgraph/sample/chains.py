"""Where an item stands in its chain of links that say what comes next, as far as these links are known."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from mmgraph.graph.contract import Graph
from mmgraph.sample.adjacency import Adjacency
from mmgraph.types import Relation


def chained(graph: Graph) -> tuple[Relation, ...]:
    """The relations whose links make chains: temporal ones within one kind."""
    return tuple(r for r, edges in graph.edges.items() if edges.temporal and r.source == r.target)


def places(source: Int[Tensor, "edges"], target: Int[Tensor, "edges"], items: int) -> Int[Tensor, "items 2"]:
    """Steps from the start of an item's chain to it, and from it to the end; both 0 for an item in no chain.

    A link is part of a chain where it is the only one from its source and the only one to its target: where links fork, chains end. In a
    circle there is no start: both -1. All chains are walked at once, by doubling steps (Hillis and Steele 1986, Data Parallel
    Algorithms): as many rounds as the longest has bits.

    >>> places(torch.tensor([0, 1]), torch.tensor([1, 2]), 4).tolist()
    [[0, 2], [1, 1], [2, 0], [0, 0]]
    """
    loop = source == target
    source, target = source[~loop], target[~loop]
    alone = (torch.bincount(source, minlength=items)[source] == 1) & (torch.bincount(target, minlength=items)[target] == 1)
    source, target = source[alone], target[alone]
    return torch.stack([_steps(target, source, items), _steps(source, target, items)], 1)


def _steps(here: Tensor, there: Tensor, items: int) -> Tensor:
    """How many steps lead from each item, from ``here`` to ``there``; -1 where they never end."""
    reached = torch.arange(items, device=here.device)
    reached[here] = there
    steps = torch.zeros(items, dtype=torch.int64, device=here.device)
    steps[here] = 1
    last = steps == 0
    length = 1
    while length < items and not bool(last[reached].all()):
        steps = steps + steps[reached]
        reached, length = reached[reached], 2 * length
    return torch.where(last[reached], steps, -1)


def placed(relations: Mapping[Relation, Adjacency], chains: Sequence[Relation]) -> dict[Relation, Int[Tensor, "items 2"]]:
    """``places`` of all items by the links that carry messages."""
    return {one: places(relations[one].sources, relations[one].targets, relations[one].num_targets) for one in chains}
