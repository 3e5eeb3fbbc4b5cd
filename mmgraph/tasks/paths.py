"""Heads that answer by paths: they pass messages of their own, from the asked item, and need no embeddings."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mmgraph.graph.contract import Graph
from mmgraph.model.contract import Embeddings, LinkLoss
from mmgraph.model.paths import PathNetwork, PathSettings
from mmgraph.model.typed import TypedGraph
from mmgraph.sample.batch import Batch, LogQ
from mmgraph.sample.full import whole_block
from mmgraph.sample.triples import Triples
from mmgraph.split.contract import LinkSplit
from mmgraph.tasks.contract import FactsHead, RelationHead
from mmgraph.tasks.ranking import FactRanking, LinkRanking
from mmgraph.types import Ints, Relation

_QUERIES = 1000  # validation links looked at each epoch; all of them are ranked once training has ended


class PathScorer(nn.Module):
    """The network on the visible graph, or on what of it a batch leaves; asked by items of a kind and stated relations.

    The visible graph is no part of the state: the same state answers about another graph with the same relations in the same order.
    """

    def __init__(self, visible: Graph, settings: PathSettings) -> None:
        super().__init__()
        whole = whole_block(visible)
        self.numbers = {relation: number for number, relation in enumerate(whole.relations)}
        self.network = PathNetwork(len(self.numbers), settings)
        self.counts = dict(whole.num_targets)
        self._visible = TypedGraph.of(whole, self.numbers)

    def left(self, batch: Batch) -> TypedGraph:
        """What a step may pass messages over."""
        assert batch.whole is not None, "the loader was not told that this head passes messages"
        return TypedGraph.of(batch.whole, self.numbers)

    def visible(self) -> TypedGraph:
        """Where the parameters are."""
        self._visible = self._visible.to(self.device)
        return self._visible

    @property
    def device(self) -> torch.device:
        """Of the parameters."""
        return self.network.query.weight.device

    def among(
        self, graph: TypedGraph, item: Int[Tensor, "n"], relation: Int[Tensor, "n"], kinds: tuple[str, str], answers: Tensor
    ) -> Float[Tensor, "n m"]:
        """Scores of ``answers``, positions in the second kind, to questions about items of the first; ``relation`` by ``numbers``."""
        asking, answering = (graph.first[kind] for kind in kinds)
        scores: Tensor = self.network(graph, item + asking, relation, answers + answering)
        return scores

    def of_all(self, item: Ints, relation: Ints, kinds: tuple[str, str]) -> Float[Tensor, "n items"]:
        """Scores of every item of the second kind, on the visible graph."""
        asked, numbers = (torch.from_numpy(np.asarray(one)).to(self.device) for one in (item, relation))
        every = torch.arange(self.counts[kinds[1]], device=self.device)
        return self.among(self.visible(), asked, numbers, kinds, every).float()


@dataclass(frozen=True)
class _Compared:
    """Candidates of a batch with the true answers among them, each once."""

    items: Tensor
    true: Tensor
    others: Tensor

    @classmethod
    def of(cls, answer: Tensor, others: Tensor) -> "_Compared":
        items, place = torch.unique(torch.cat([answer, others]), return_inverse=True)
        return cls(items, place[: len(answer)], place[len(answer) :])

    def loss(self, compare: LinkLoss, scores: Tensor, is_link: Tensor, log_q: LogQ | None) -> Tensor:
        positive = scores.gather(1, self.true[:, None]).squeeze(1)
        return compare.drawn(positive, scores.index_select(1, self.others), ~is_link, log_q)


class PathLinkHead(RelationHead):
    """Links of one relation, between two kinds or within one, asked from both sides."""

    def __init__(
        self, name: str, split: LinkSplit, visible: Graph, settings: PathSettings, compare: LinkLoss, weight: float
    ) -> None:
        super().__init__()
        self.name, self.weight, self.relation, self.compare = name, weight, split.relation, compare
        self.kinds, self.figure = (), "mrr" if len(split.valid) else None
        self.paths = PathScorer(visible, settings)
        self._ranking = LinkRanking(split, visible, _QUERIES)

    def loss(self, embeddings: Embeddings, batch: Batch) -> Float[Tensor, ""]:
        """Mean of the two directions' losses."""
        asked, graph = batch.links[self.name], self.paths.left(batch)
        targets = _Compared.of(asked.target, asked.other_targets)
        forward = self._among(graph, False, asked.source, targets.items)
        sources = _Compared.of(asked.source, asked.other_sources)
        backward = self._among(graph, True, asked.target, sources.items)
        return (
            targets.loss(self.compare, forward, asked.is_link, asked.log_q)
            + sources.loss(self.compare, backward, asked.is_link_source, asked.log_q_source)
        ) / 2

    def _among(self, graph: TypedGraph, backwards: bool, item: Tensor, answers: Tensor) -> Tensor:
        number, kinds = self._asked(backwards)
        return self.paths.among(graph, item, torch.full_like(item, number), kinds, answers)

    @torch.no_grad()
    def scores(self, embeddings: Embeddings, queries: Ints, backwards: bool) -> Float[Tensor, "n candidates"]:
        """See RelationHead."""
        number, kinds = self._asked(backwards)
        return self.paths.of_all(queries, np.full(len(queries), number), kinds)

    @torch.no_grad()
    def validate(self, embeddings: Embeddings) -> dict[str, float]:
        """See LinkRanking."""
        return self._ranking.figures(lambda queries, backwards: self.scores(embeddings, queries, backwards))

    def _asked(self, backwards: bool) -> tuple[int, tuple[str, str]]:
        relation = self.relation.reverse if backwards else self.relation
        return self.paths.numbers[relation], (relation.source, relation.target)


class PathFactsHead(FactsHead):
    """Links of many relations within one kind, asked from both sides."""

    def __init__(
        self,
        name: str,
        relations: tuple[Relation, ...],
        visible: Graph,
        settings: PathSettings,
        compare: LinkLoss,
        *,
        known: Triples,
        valid: Triples,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.name, self.weight, self.relations, self.compare = name, weight, relations, compare
        self.kind, self.kinds, self.figure = relations[0].source, (), "mrr" if len(valid.source) else None
        self.paths = PathScorer(visible, settings)
        numbers = [self.paths.numbers[one] for one in (*relations, *(r.reverse for r in relations))]
        self._numbers = np.array(numbers, np.int64)
        chosen = Triples(*(column[:_QUERIES] for column in valid))
        self._ranking = FactRanking(chosen, known, len(relations), visible.count(self.kind))

    def loss(self, embeddings: Embeddings, batch: Batch) -> Float[Tensor, ""]:
        """Mean over both directions' questions."""
        asked, graph = batch.triples[self.name], self.paths.left(batch)
        numbers = torch.from_numpy(self._numbers).to(asked.relation.device)[asked.relation]
        compared = _Compared.of(asked.answer, asked.others)
        scores = self.paths.among(graph, asked.item, numbers, (self.kind, self.kind), compared.items)
        return compared.loss(self.compare, scores, asked.is_link, asked.log_q)

    @torch.no_grad()
    def scores(self, embeddings: Embeddings, item: Ints, relation: Ints) -> Float[Tensor, "n items"]:
        """See FactsHead."""
        return self.paths.of_all(item, self._numbers[relation], (self.kind, self.kind))

    @torch.no_grad()
    def validate(self, embeddings: Embeddings) -> dict[str, float]:
        """See FactRanking."""
        return self._ranking.figures(lambda item, relation: self.scores(embeddings, item, relation))
