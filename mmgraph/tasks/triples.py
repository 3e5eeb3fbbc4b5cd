"""The head of a knowledge graph: one scorer for all its relations, asked from both sides."""

import copy
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mmgraph.model.contract import Asking, Embeddings, Scorer, searched_by
from mmgraph.sample.batch import Batch
from mmgraph.sample.triples import Triples
from mmgraph.tasks.contract import FactsHead
from mmgraph.tasks.heads import Compare
from mmgraph.tasks.ranking import FactRanking
from mmgraph.types import Ints, Relation

_QUERIES = 4000  # validation links looked at each epoch; all of them are ranked once training has ended


class TripleHead(FactsHead):
    """Questions (item, relation, ?), the relation turned round for those that ask for sources.

    reciprocal: a turned relation has parameters of its own (Lacroix et al. 2018, arXiv 1806.07297, section 4.1); without, it has the
    relation's own. dropout: of the asked item's vector in training.
    """

    def __init__(
        self,
        name: str,
        relations: tuple[Relation, ...],
        compare: Compare,
        *,
        known: Triples,
        valid: Triples,
        num_items: int,
        reciprocal: bool = True,
        dropout: float = 0.0,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.name, self.weight, self.relations = name, weight, relations
        self.scorer, self.compare, self.regulariser = compare.scorer, compare.loss, compare.regulariser
        self.reciprocal, self.dropout = reciprocal, dropout
        self.kind = relations[0].source
        self.kinds, self.figure = (self.kind,), "mrr" if len(valid.source) else None
        chosen = Triples(*(column[:_QUERIES] for column in valid))
        self._ranking = FactRanking(chosen, known, len(relations), num_items)

    def loss(self, embeddings: Embeddings, batch: Batch) -> Float[Tensor, ""]:
        """Mean over both directions' questions, and what the regulariser adds."""
        asked, rows = batch.triples[self.name], embeddings[self.kind]
        items = F.dropout(rows[asked.item], self.dropout, self.training)
        question = self.question(items, asked.relation)
        answer = self.scorer.target(rows[asked.answer])
        positive = self.scorer.pairs(question, answer)
        negative = self.scorer.matrix(question, self.scorer.target(rows[asked.others]))
        loss = self.compare.drawn(positive, negative, ~asked.is_link, asked.log_q) + self.compare.spread(question, answer)
        if self.regulariser is None:
            return loss
        relation = asked.relation if self.reciprocal else asked.relation % len(self.relations)
        return loss + self.regulariser(self.scorer.factors(rows[asked.item], relation, rows[asked.answer]))

    def items(self, batch: Batch) -> dict[str, Tensor]:
        """See Head."""
        asked = batch.triples[self.name]
        return {self.kind: torch.cat([asked.item, asked.answer])}

    def question(self, items: Float[Tensor, "n width"], relation: Tensor) -> Float[Tensor, "n wide"]:
        """Prepared questions, to be compared with prepared targets."""
        return self._prepared(self.scorer, items, relation)

    @torch.no_grad()
    def asking(self, embeddings: Embeddings, side: str) -> Asking | None:
        """See Head: both sides are one."""
        metric, rows = searched_by(type(self.scorer)), embeddings[self.kind]
        scorer = copy.deepcopy(self.scorer).cpu()
        if metric is None:
            return None
        return Asking(lambda item, relation: self._prepared(scorer, rows[item], relation), scorer.target(rows), metric)

    def _prepared(self, scorer: Scorer, items: Tensor, relation: Tensor) -> Tensor:
        if self.reciprocal:
            return scorer.source(items, relation)
        turned = relation >= len(self.relations)
        own = relation % len(self.relations)
        return torch.where(turned[:, None], scorer.inverse(items, own), scorer.source(items, own))

    @torch.no_grad()
    def scores(self, embeddings: Embeddings, item: Ints, relation: Ints) -> Float[Tensor, "n items"]:
        """Of every item as the answer to each question."""
        rows = embeddings[self.kind]
        asked = torch.from_numpy(item).to(rows.device)
        question = self.question(rows[asked], torch.from_numpy(relation).to(rows.device))
        return self.scorer.matrix(question, self.scorer.target(rows)).float()

    def validation_bytes(self, counts: Mapping[str, int], width: int) -> int:
        """See Head: prepared vectors, and what FactRanking takes."""
        return self._ranking.bytes + 4 * width * counts[self.kind]

    @torch.no_grad()
    def validate(self, embeddings: Embeddings) -> dict[str, float]:
        """See FactRanking."""
        return self._ranking.figures(lambda item, relation: self.scores(embeddings, item, relation))
