"""Links that carry no messages in a step of training, so that those of popular items do not drown the others."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from mmgraph.graph.contract import Graph
from mmgraph.sample.batch import Block
from mmgraph.types import Relation


class Prune(nn.Module):
    """A ``share`` of the links of every relation, drawn without replacement, is left out, both ways and in all layers.

    FREEDOM (Zhou and Shen 2023, arXiv 2211.06924, its denoising): the probability to stay is proportional to 1 / sqrt(deg(source)
    deg(target)); what stays is normalised anew by the layer. Drawn by the keys of Efraimidis and Spirakis 2006 (Weighted Random Sampling
    with a Reservoir). The paper draws once an epoch, here every step does.
    """

    def __init__(self, graph: Graph, share: float, but: frozenset[Relation] = frozenset()) -> None:
        super().__init__()
        self.share = share
        self.relations = tuple(relation for relation in graph.edges if relation not in but) if share else ()
        for number, relation in enumerate(self.relations):
            edges = graph.edges[relation]
            degrees = (np.bincount(end, minlength=1)[end] for end in (edges.source, edges.target))
            log_p = -sum(np.log(degree) for degree in degrees) / 2
            self.register_buffer(f"log_p{number}", torch.tensor(log_p, dtype=torch.float32), persistent=False)

    def forward(self, blocks: Sequence[Block]) -> tuple[Block, ...]:
        """The blocks without what was drawn; one block stays one."""
        kept = {r: self._kept(getattr(self, f"log_p{number}")) for number, r in enumerate(self.relations)}
        staying = {relation: self._staying(len(kept[relation])) for relation in self.relations}
        made = {id(block): thinned(block, kept, staying) for block in {id(one): one for one in blocks}.values()}
        return tuple(made[id(block)] for block in blocks)

    def _kept(self, log_p: Tensor) -> Tensor:
        """bool [links]: those with the highest log p + Gumbel noise."""
        keys = log_p - torch.log(-torch.log(torch.rand_like(log_p)))
        best = keys.topk(self._staying(len(log_p))).indices
        return torch.zeros_like(log_p, dtype=torch.bool).index_fill_(0, best, True)

    def _staying(self, links: int) -> int:
        return links - round(self.share * links)


def thinned(block: Block, kept: Mapping[Relation, Tensor], staying: Mapping[Relation, int] | None = None) -> Block:
    """Only the edges under the masks, by their numbers in the relation; a link leaves together with its reverse.

    staying: how many these are in each relation, where it is known (see ``Adjacency.keep``).
    """
    relations = dict(block.relations)
    for relation, keep in kept.items():
        for one in (relation, relation.reverse):
            adjacency = relations.get(one)
            if adjacency is not None:
                assert adjacency.ids is not None, "the links of a block are not known by number"
                count = staying[relation] if staying and len(keep) == adjacency.ids.numel() else None
                relations[one] = adjacency.keep(keep[adjacency.ids], count)
    return Block(block.num_targets, relations)
