"""Questions with held-out answers, and the contract of every method that answers them, ours and the baselines alike."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from mmgraph.graph.contract import Edges, Graph
from mmgraph.split.contract import LabelSplit, LinkSplit
from mmgraph.split.pairs import parents
from mmgraph.types import Bools, Floats, Ints, Relation

Direction = Literal["target", "source"]
TaskName = Literal["links", "categories", "recommend", "ratings"]
Candidates = Literal["kind", "seen"]
OURS = "mmgraph"
SAME_PARENT = "/same_parent"  # ends the name of a metric whose candidates are the items of the query's parent alone
Texts = np.ndarray
"""Strings, one an entry."""


@dataclass(frozen=True)
class LinkQuestion:
    """Which links of ``split.relation`` are missing. ``graph`` holds only what may be seen (``Split.visible``).

    candidates: among what a truth is ranked, all items of its ``kind``, or those ``seen`` on its side of the relation in a visible
    link, and the truth itself.
    """

    graph: Graph
    split: LinkSplit
    seed: int = 7
    candidates: Candidates = "kind"

    @property
    def relation(self) -> Relation:
        """The target relation."""
        return self.split.relation

    @property
    def name(self) -> str:
        """What its rows are called."""
        return str(self.relation)

    @property
    def asks(self) -> tuple[Relation, ...]:
        """The relations that it asks about, all between the same two kinds."""
        return (self.relation,)

    @property
    def directions(self) -> tuple[Direction, ...]:
        """From which sides its links are asked."""
        return ("target", "source")

    @property
    def visible(self) -> Edges:
        """Its links that may be seen."""
        nothing = Edges(self.relation, np.zeros(0, np.int64), np.zeros(0, np.int64))
        return self.graph.edges.get(self.relation, nothing)

    @property
    def group(self) -> Ints | None:
        """Of a temporal relation within one kind a number for the parent of each item, int64 [items]; None of other relations, and
        where no two items have one parent.
        """
        kind = self.relation.source
        if not self.split.edges.temporal or kind != self.relation.target:
            return None
        group = parents(self.graph, kind)
        return group if len(np.unique(group)) < len(group) else None

    @property
    def figure(self) -> str:
        """The metric that chooses between methods on validation."""
        return "mrr"

    @property
    def by_place(self) -> bool:
        """Whether methods are combined by the order of their answers alone, and not by how far apart their scores are."""
        return False

    def judged(self, edges: Ints) -> Ints:
        """Places within ``edges`` that each tell something of their own, where it is judged how good a method is: all of them."""
        return np.arange(len(edges))

    def units(self, edges: Ints) -> Ints:
        """A number for what is drawn again in a bootstrap, for each of the edges at these positions: the edge itself."""
        return edges

    def asks_target(self, edges: Ints, direction: Direction) -> Bools:
        """Which of the edges at these positions ask for their target, when asked in this direction."""
        return np.full(len(edges), direction == "target")

    @property
    def readings(self) -> int:
        """How many relations it asks about, one that is asked both ways in one direction counted twice."""
        return 1

    def reading(self, queries: Ints) -> Ints:
        """The relation, and which way it is read, of queries: int64, below ``readings``."""
        return np.zeros(len(queries), np.int64)

    def ends(self, edges: Ints) -> tuple[Ints, Ints, Ints]:
        """Of the edges at these positions: positions of their relations in ``asks``, of their sources, and of their targets."""
        one = self.split.edges.take(edges)
        return np.zeros(len(edges), np.int64), one.source, one.target

    def named(self, edges: Ints) -> tuple[Texts, Texts, Texts]:
        """Ids of the sources, names of the relations, and ids of the targets of the edges at these positions."""
        ids, one = self.graph.ids, self.split.edges.take(edges)
        source, target = ids[self.relation.source][one.source], ids[self.relation.target][one.target]
        return source, np.full(len(edges), str(self.relation), object), target

    def count(self, direction: Direction) -> int:
        """How many candidates there are in this direction."""
        return self.graph.count(self.relation.target if direction == "target" else self.relation.source)


@dataclass(frozen=True)
class LabelQuestion:
    """Which class an item has. Only labels at ``split.train`` may be read to fit, at ``split.valid`` to choose a setting."""

    graph: Graph
    split: LabelSplit
    seed: int = 7


@dataclass(frozen=True)
class Part:
    """What one piece of a method says of candidates: ``given`` float32, its score as it gives it, and ``share``, of the method's."""

    piece: str
    given: Floats
    share: Floats


@dataclass(frozen=True)
class Newcomer:
    """A source who is not in the graph. liked: positions of the targets that it is linked with, each once; network: what the gnn gives
    all targets, float32 [1, targets], where the source stands in the graph with these links.
    """

    liked: Ints
    network: Floats


class LinkMethod(abc.ABC):
    """A fitted answerer of link questions; ``name`` stands in metrics.json."""

    name: str

    @property
    def pieces(self) -> tuple[str, ...]:
        """Names of the methods that its scores are made of: its own, unless it combines others."""
        return (self.name,)

    def parts(self, queries: Ints, direction: Direction) -> list[Part]:
        """Its scores as the sum of the pieces' shares, each [len(queries), candidates], in the order of ``pieces``."""
        scores = self.scores(queries, direction)
        return [Part(self.pieces[0], scores, scores)]

    @abc.abstractmethod
    def scores(self, queries: Ints, direction: Direction) -> Floats:
        """float32 [len(queries), candidates], higher is more likely.

        ``target``: queries are sources, candidates all items of the target kind; ``source``: the other way round. Every number
        finite. Called block by block: memory is at most len(queries) x candidates.
        """

    def knowing(self, newer: Edges) -> "LinkMethod":
        """The same fitted method, told of links that are newer than what it was fitted on: the validation links, when the test is asked. It
        learns nothing from them; but who reads a user's links in order reads them as well. Itself, unless it does.
        """
        del newer
        return self

    def of_newcomer(self, newcomer: Newcomer) -> Floats | None:
        """What it would give a source who is not there, float32 [1, targets], without being fitted again; None where it cannot say."""
        del newcomer
        return None

    def parts_of_newcomer(self, newcomer: Newcomer) -> list[Part]:
        """The same as shares of those pieces that can say something, each [1, targets]."""
        scores = self.of_newcomer(newcomer)
        return [] if scores is None else [Part(self.name, scores, scores)]


class LinkBaseline(abc.ABC):
    """One file in ``baselines/links/`` with one class, a ``dataclass(frozen=True, kw_only=True)`` with defaults for all."""

    @abc.abstractmethod
    def fit(self, question: LinkQuestion) -> list[LinkMethod]:
        """Fit on what may be seen; one method or several (one a modality), none where the baseline does not apply."""


@dataclass(frozen=True)
class Asked:
    """Queries about links, one after the other. ``graph``: what may be seen; ``number``: positions of their relations in
    ``relations``, which are all between the same two kinds; ``source``, ``target``: positions of the two ends of the true link;
    ``to_target``: whether the target is the answer, or the source.
    """

    graph: Graph
    relations: tuple[Relation, ...]
    number: Ints
    source: Ints
    target: Ints
    to_target: Bools

    @classmethod
    def of(cls, question: LinkQuestion, edges: Ints) -> "Asked":
        """The edges at these positions, asked in each of the question's directions."""
        number, source, target = (np.tile(one, len(question.directions)) for one in question.ends(edges))
        to_target = np.concatenate([question.asks_target(edges, direction) for direction in question.directions])
        return cls(question.graph, question.asks, number, source, target, to_target)

    def of_answer(self, each: Callable[[str], np.ndarray]) -> np.ndarray:
        """Of each query's answer what ``each`` says; it is called with a kind, and gives one entry an item of it."""
        return self._of(self.to_target, each)

    def of_query(self, each: Callable[[str], np.ndarray]) -> np.ndarray:
        """Of each query's item, which is asked about, what ``each`` says."""
        return self._of(~self.to_target, each)

    def _of(self, at_target: Bools, each: Callable[[str], np.ndarray]) -> np.ndarray:
        relation = self.relations[0]
        return np.where(at_target, each(relation.target)[self.target], each(relation.source)[self.source])

    def degree(self, kind: str) -> Ints:
        """How many links of ``relations`` each item of the kind has at either of its ends, of those that may be seen: int64."""
        found = np.zeros(self.graph.count(kind), np.int64)
        for relation in self.relations:
            edges = self.graph.edges.get(relation)
            for own, items in () if edges is None else ((relation.source, edges.source), (relation.target, edges.target)):
                if own == kind:
                    found += np.bincount(items, minlength=len(found))
        return found


class Grouping(abc.ABC):
    """One file in ``groupings/`` with one class, a ``dataclass(frozen=True, kw_only=True)`` with defaults for all."""

    @abc.abstractmethod
    def groups(self, asked: Asked) -> Texts:
        """The name of each query's group; ``""`` for a query that is in none."""


class LabelBaseline(abc.ABC):
    """One file in ``baselines/labels/`` with one class, a ``dataclass(frozen=True, kw_only=True)`` with defaults for all.

    several: whether it also answers for a field whose items may have several values (``Labels.several``).
    """

    several: ClassVar[bool] = False

    @abc.abstractmethod
    def fit(self, question: LabelQuestion) -> dict[str, Floats]:
        """Name -> probabilities float32 [items, classes]; empty where the baseline does not apply.

        Rows sum to 1, but for a field whose items may have several values: there each class is by itself.
        """


@dataclass(frozen=True)
class Row:
    """One number of metrics.json. ``low``/``high`` None where no interval is given.

    group: ``grouping=name`` where the number is of some of the queries only. candidates: what the truth was ranked among,
    ``kind`` or ``seen`` (see LinkQuestion), the items of one ``parent``, those without a visible link (``cold``), or ``sampled`` pairs;
    empty for categories.
    """

    task: TaskName
    target: str
    split: str
    method: str
    metric: str
    value: float
    low: float | None
    high: float | None
    n: int
    group: str = ""
    candidates: str = ""
