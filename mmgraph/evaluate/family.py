"""All relations of a knowledge graph as one question, so that they are ranked, combined and compared together.

A question about a fact is an item with a relation, read forwards or backwards; its answer is an item. So the facts of all
relations are links of one virtual relation, from (relation, item) to item, asked in one direction; everything that is
written for one relation then serves all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.contract import Candidates, Direction, LinkMethod, LinkQuestion, Part, Texts
from mmgraph.graph.contract import Edges
from mmgraph.split.contract import LinkSplit, Split
from mmgraph.types import Bools, Floats, Ints, Relation


@dataclass(frozen=True, kw_only=True)
class FamilyQuestion(LinkQuestion):
    """Links of ``relations`` within one kind. Every link stands twice in ``split.edges``: link i asks for its target at i, and for
    its source at i + ``links``. A virtual source is relation * items + item; relations read backwards come after the others.
    """

    relations: tuple[Relation, ...]
    links: int
    seen: Edges

    @classmethod
    def of(
        cls, name: str, split: Split, relations: Sequence[Relation], seed: int, candidates: Candidates = "kind"
    ) -> "FamilyQuestion":
        """``name``: what its rows are called."""
        graph, parts = split.visible, [split.links[relation] for relation in relations]
        kind = relations[0].source
        sizes = np.cumsum([0, *(len(one.edges) for one in parts)])
        edges = _virtual(name, kind, graph.count(kind), [one.edges for one in parts])
        links = int(sizes[-1])

        def positions(which: str) -> Ints:
            each = [getattr(one, which) + start for one, start in zip(parts, sizes[:-1], strict=True)]
            once = np.concatenate([np.zeros(0, np.int64), *each])
            return np.concatenate([once, once + links])

        seen = _virtual(name, kind, graph.count(kind), [graph.edges[relation] for relation in relations])
        virtual = LinkSplit(edges, positions("train"), positions("valid"), positions("test"))
        return cls(graph, virtual, seed, candidates, relations=tuple(relations), links=links, seen=seen)

    @property
    def name(self) -> str:
        """See LinkQuestion."""
        return self.relation.name

    @property
    def asks(self) -> tuple[Relation, ...]:
        """See LinkQuestion."""
        return self.relations

    @property
    def directions(self) -> tuple[Direction, ...]:
        """See LinkQuestion: both readings of a link are links of their own."""
        return ("target",)

    @property
    def visible(self) -> Edges:
        """See LinkQuestion."""
        return self.seen

    @property
    def items(self) -> int:
        """How many items of the kind there are."""
        return self.graph.count(self.relation.target)

    def units(self, edges: Ints) -> Ints:
        """See LinkQuestion: the two readings of one link."""
        return edges % max(self.links, 1)

    def asks_target(self, edges: Ints, direction: Direction) -> Bools:
        """See LinkQuestion."""
        return edges < self.links

    @property
    def readings(self) -> int:
        """See LinkQuestion."""
        return 2 * len(self.relations)

    def reading(self, queries: Ints) -> Ints:
        """See LinkQuestion."""
        return queries // self.items

    def ends(self, edges: Ints) -> tuple[Ints, Ints, Ints]:
        """See LinkQuestion: of the link that is behind both readings."""
        one = self.split.edges.take(edges)
        asked, forward = one.source % self.items, self.asks_target(edges, "target")
        return self.number_of(edges), np.where(forward, asked, one.target), np.where(forward, one.target, asked)

    def named(self, edges: Ints) -> tuple[Texts, Texts, Texts]:
        """See LinkQuestion: of the link that is behind both readings."""
        ids, (number, source, target) = self.graph.ids[self.relation.target], self.ends(edges)
        names = np.array([str(relation) for relation in self.relations], object)[number]
        return ids[source], names, ids[target]

    def count(self, direction: Direction) -> int:
        """See LinkQuestion."""
        return self.items if direction == "target" else self.readings * self.items

    def number_of(self, edges: Ints) -> Ints:
        """The relation of each edge, whichever way it is read: int64 positions in ``relations``."""
        return (self.split.edges.source[edges] // self.items) % len(self.relations)

    def asked(self, queries: Ints, relation: Relation, direction: Direction) -> Ints:
        """Virtual sources of items that are asked about one relation."""
        number = self.relations.index(relation) + (0 if direction == "target" else len(self.relations))
        return number * self.items + queries


def _virtual(name: str, kind: str, items: int, edges: Sequence[Edges]) -> Edges:
    number = np.repeat(np.arange(len(edges)), [len(one) for one in edges]).astype(np.int64)
    source, target = (np.concatenate([getattr(one, end) for one in edges]) for end in ("source", "target"))
    asked = np.concatenate([number * items + source, (number + len(edges)) * items + target])
    return Edges(Relation(f"{kind} and relation", name, kind), asked, np.concatenate([target, source]))


class Gathered(LinkMethod):
    """One method of each relation as a method of the family; a relation without one scores every candidate 0."""

    def __init__(self, name: str, question: FamilyQuestion, methods: Mapping[Relation, LinkMethod]) -> None:
        self.name = name
        self._question, self._methods = question, methods

    def scores(self, queries: Ints, direction: Direction) -> Floats:
        """float32 [len(queries), items]."""
        question = self._question
        number, item = np.divmod(queries, question.items)
        out = np.zeros((len(queries), question.items), np.float32)
        for one in np.unique(number):
            relation = question.relations[one % len(question.relations)]
            method = self._methods.get(relation)
            if method is not None:
                rows = np.flatnonzero(number == one)
                out[rows] = method.scores(item[rows], "target" if one < len(question.relations) else "source")
        return out


class OfRelation(LinkMethod):
    """A method of the family as a method of one relation."""

    def __init__(self, method: LinkMethod, question: FamilyQuestion, relation: Relation) -> None:
        self.name = method.name
        self._method, self._question, self._relation = method, question, relation

    @property
    def pieces(self) -> tuple[str, ...]:
        """See LinkMethod."""
        return self._method.pieces

    def parts(self, queries: Ints, direction: Direction) -> list[Part]:
        """See LinkMethod."""
        return self._method.parts(self._question.asked(queries, self._relation, direction), "target")

    def scores(self, queries: Ints, direction: Direction) -> Floats:
        """float32 [len(queries), candidates]."""
        return self._method.scores(self._question.asked(queries, self._relation, direction), "target")


def gathered(question: FamilyQuestion, fitted: Mapping[Relation, Sequence[LinkMethod]]) -> list[LinkMethod]:
    """Methods of the relations, by name, as methods of the family."""
    names = dict.fromkeys(method.name for methods in fitted.values() for method in methods)
    by_name = {name: {r: m for r, methods in fitted.items() for m in methods if m.name == name} for name in names}
    return [Gathered(name, question, methods) for name, methods in by_name.items()]
