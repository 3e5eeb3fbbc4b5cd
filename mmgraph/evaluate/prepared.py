"""A trained head as a link method: vectors are prepared once, and some targets may be asked for without the others."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mmgraph.evaluate.contract import Direction, LinkMethod, Newcomer
from mmgraph.evaluate.gnn import GNN, ScorerLinks
from mmgraph.model.contract import Embeddings, Scorer
from mmgraph.tasks.contract import FactsHead, RelationHead
from mmgraph.tasks.heads import LinkHead
from mmgraph.tasks.triples import TripleHead
from mmgraph.types import Floats, Ints, Relation


class Prepared(LinkMethod):
    """``ask``: prepared questions of sources at some positions, [n, wide]; ``targets``: prepared, [targets, wide]; ``whole`` answers
    what is asked of all items, in either direction.
    """

    def __init__(self, whole: LinkMethod, scorer: Scorer, ask: Callable[[Tensor], Tensor], targets: Tensor) -> None:
        self.name = whole.name
        self._whole, self._scorer, self._ask, self._targets = whole, scorer, ask, targets

    @property
    def inner(self) -> bool:
        """Whether a score is the inner product of the two prepared vectors."""
        return type(self._scorer).matrix is Scorer.matrix

    @property
    def count(self) -> int:
        """How many targets there are."""
        return len(self._targets)

    def scores(self, queries: Ints, direction: Direction) -> Floats:
        """float32 [len(queries), candidates]."""
        return self._whole.scores(queries, direction)

    def of_newcomer(self, newcomer: Newcomer) -> Floats | None:
        """See LinkMethod."""
        return self._whole.of_newcomer(newcomer)

    @torch.no_grad()
    def tile(self, queries: Ints, start: int, stop: int) -> Floats:
        """float32 [len(queries), stop - start]: of the targets ``start`` to ``stop`` only."""
        asked = self._ask(torch.from_numpy(queries))
        return np.asarray(self._scorer.matrix(asked, self._targets[start:stop]).float(), np.float32)

    @torch.no_grad()
    def vectors(self, queries: Ints) -> Floats:
        """Prepared questions, float32 [len(queries), wide]."""
        return np.ascontiguousarray(self._ask(torch.from_numpy(queries)).float(), np.float32)

    @torch.no_grad()
    def some_targets(self, targets: Ints) -> Floats:
        """Prepared targets at these positions, float32 [len(targets), wide]."""
        return np.asarray(self._targets[torch.from_numpy(targets)].float(), np.float32)

    @torch.no_grad()
    def target_vectors(self) -> Floats:
        """Prepared targets, float32 [targets, wide]."""
        return np.ascontiguousarray(self._targets.float(), np.float32)


def of_links(head: RelationHead, rows: Embeddings) -> LinkMethod:
    """The head of one relation, by prepared vectors where it compares vectors."""
    if isinstance(head, LinkHead):
        return _of_vectors(head, rows)

    def score(queries: Ints, direction: Direction) -> Floats:
        return np.ascontiguousarray(head.scores(rows, queries, direction == "source").float(), np.float32)

    return ScorerLinks(GNN, score)


@torch.no_grad()
def _of_vectors(head: LinkHead, rows: Embeddings) -> Prepared:
    scorer = head.scorer
    sources = scorer.source(rows[head.relation.source])
    targets = scorer.target(rows[head.relation.target])

    @torch.no_grad()
    def score(queries: Ints, direction: Direction) -> Floats:
        chosen = torch.from_numpy(queries)
        if direction == "target":
            return np.asarray(scorer.matrix(sources[chosen], targets), np.float32)
        return np.ascontiguousarray(scorer.matrix(sources, targets[chosen]).T, np.float32)

    return Prepared(ScorerLinks(GNN, score), scorer, lambda chosen: sources[chosen], targets)


def of_facts(head: FactsHead, rows: Embeddings, items: int) -> LinkMethod:
    """The head of a knowledge graph for its virtual relation (evaluate/family.py)."""

    def score(queries: Ints, _: Direction) -> Floats:
        relation, item = np.divmod(queries, items)
        return np.asarray(head.scores(rows, item, relation), np.float32)

    return ScorerLinks(GNN, score)


@torch.no_grad()
def of_fact(head: FactsHead, rows: Embeddings, relation: Relation) -> LinkMethod:
    """The head of a knowledge graph for one of its relations, by prepared vectors where it compares vectors."""
    own = head.relations.index(relation)

    def score(queries: Ints, direction: Direction) -> Floats:
        number = own if direction == "target" else own + len(head.relations)
        return np.asarray(head.scores(rows, queries, np.full(len(queries), number)), np.float32)

    method = ScorerLinks(GNN, score)
    if not isinstance(head, TripleHead):
        return method
    vectors = rows[head.kind]
    targets = head.scorer.target(vectors)

    def ask(chosen: Tensor) -> Tensor:
        return head.question(vectors[chosen], torch.full((len(chosen),), own))

    return Prepared(method, head.scorer, ask, targets)
