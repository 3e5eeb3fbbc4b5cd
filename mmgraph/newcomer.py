"""A user who is in no table, told by the items that they like, served by a finished run as it stands: nothing is trained or chosen."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmgraph import registry
from mmgraph.errors import RunError
from mmgraph.evaluate.answers import LinkAnswer
from mmgraph.evaluate.contract import Direction, LinkMethod, Newcomer, Part
from mmgraph.evaluate.prepared import of_links
from mmgraph.graph.contract import Edges
from mmgraph.model.going_on import begin
from mmgraph.model.new_rows import fill_rows
from mmgraph.model.train import embed
from mmgraph.pipeline import built
from mmgraph.rerun import Reopened
from mmgraph.runs import answering
from mmgraph.split.contract import Split
from mmgraph.split.grown import grown_split
from mmgraph.tasks.contract import RelationHead
from mmgraph.types import Floats, Ints, Relation

NAME = "new"


class OfNewcomer(LinkMethod):
    """What a method says of one newcomer, whoever is asked about."""

    def __init__(self, name: str, parts: Sequence[Part]) -> None:
        self.name = name
        self._parts = parts

    @property
    def pieces(self) -> tuple[str, ...]:
        """See LinkMethod."""
        return tuple(part.piece for part in self._parts)

    def parts(self, queries: Ints, direction: Direction) -> list[Part]:
        """See LinkMethod."""
        del direction
        each = np.zeros(len(queries), np.int64)
        return [Part(part.piece, part.given[each], part.share[each]) for part in self._parts]

    def scores(self, queries: Ints, direction: Direction) -> Floats:
        """float32 [len(queries), candidates]."""
        return np.sum([part.share for part in self.parts(queries, direction)], axis=0, dtype=np.float32)


def served(opened: Reopened, answer: LinkAnswer, liked: Ints) -> tuple[LinkAnswer, list[str]]:
    """What the run answers about one more user, the last of the graph, who likes the items at these positions, and names of the pieces
    of a combination that cannot say anything of somebody new.

    The baselines take the row of the user's links as they take every other; the gnn passes its messages over the graph with the user in
    it, whose row of the table of ids, where there is one, is the mean of the liked items'. Raises RunError where the relation is within
    one kind, and where nothing of what the run hands out can say anything.
    """
    question, relation = answer.question, answer.question.relation
    if relation.source == relation.target:
        wrong = "somebody new can be served only where users and items are of two kinds"
        raise RunError(wrong, given=relation, todo="fit the run again with the new links")
    split = with_newcomer(opened.split, relation, liked)
    parts = answer.method.parts_of_newcomer(Newcomer(liked, network_scores(opened, split, relation)))
    if not parts:
        wrong = "what the run hands out cannot say anything of somebody new"
        raise RunError(wrong, given=", ".join(answer.method.pieces), todo="name a user of the run, or fit it again")
    method = OfNewcomer(answer.method.name, parts)
    silent = [name for name in answer.method.pieces if name not in method.pieces]
    grown = replace(question, graph=split.visible, split=split.links[relation])
    return LinkAnswer(grown, method, answer.trust), silent


def with_newcomer(split: Split, relation: Relation, liked: Ints) -> Split:
    """The split with one more source, which is linked with the targets at these positions."""
    count = split.visible.count(relation.source)
    name, taken = NAME, set(map(str, split.visible.ids[relation.source]))
    while name in taken:
        name += "_"
    known = split.visible.edges[relation].weight
    weight = (
        None if known is None or not len(known) else np.full(len(liked), known.mean(), np.float32)
    )  # nothing is known of how much
    links = Edges(relation, np.full(len(liked), count, np.int64), liked, weight=weight)
    return grown_split(split, {relation.source: [name]}, [links])


def network_scores(opened: Reopened, split: Split, relation: Relation) -> Floats:
    """What the relation's head gives all targets for the last source, float32 [1, targets], in its own best epoch."""
    tasks = [registry.create("task", task) for task in opened.settings.tasks]
    names = [
        one.head.name for one in opened.trained.heads if isinstance(one.head, RelationHead) and one.head.relation == relation
    ]
    model = answering(opened.models, set(names[:1]))[0]
    module, data = built(model.within(opened.settings), split, tasks, opened.tops)
    for number, head in enumerate(module.all_heads):
        if isinstance(head, RelationHead) and head.relation == relation:
            begin(module, opened.run.checkpoints / model.place / f"best-{number}.ckpt")
            fill_rows(module.network, split.visible, {kind: len(ids) for kind, ids in opened.split.visible.ids.items()})
            rows = embed(module, data)
            last = np.array([split.visible.count(relation.source) - 1], np.int64)
            return of_links(head, rows).scores(last, "target")
    raise RunError("the run has no model of this relation", given=relation, todo="run `mmgraph fit` again")
