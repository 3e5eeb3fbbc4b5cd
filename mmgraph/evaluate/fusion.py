"""Several link methods as one: a conditional logistic model of which candidate is the true one.

P(candidate | query) is a softmax over the query's candidates of w . x (McFadden 1974). Scores of different methods have no
common unit, so each method gives two features of every candidate, both growing with its score:

- *gap*: score minus the query's mean, over the method's usual deviation within a query (one number, from validation queries;
  a deviation of each query's own would blow up queries about which the method knows nothing), cut at -4 and 8;
- *order*: log of how many candidates there are over the mean rank among the query's: 0 where none is worse. It needs no unit, and
  equal scores stay equal.

A candidate's score is therefore a sum with two terms of each method, which together are what the method says for the candidate.

What is judged by the first places of a list is weighed by the order alone: the softmax counts every true candidate, however far down,
and with gaps it is fitted to those that no list will show.

Weights are not negative, so the combination never goes against a method; an L2 penalty (a normal prior of deviation 1 on each
weight) keeps them small where validation is small. A useless method gets weights near 0, and weights of exactly 0 cost nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from mmgraph.evaluate.contract import OURS, Direction, LinkMethod, LinkQuestion, Newcomer, Part
from mmgraph.evaluate.ranking import CELLS, Known, checked, other_way, sides
from mmgraph.graph.contract import Edges
from mmgraph.types import Bools, Floats, Ints

Reals = npt.NDArray[np.float64]
FEATURES = 2
KEPT = 512  # candidates kept of a query: all, or the hardest quarter of this and a uniform sample that stands for the rest
_LEAST_WEIGHT = 0.01  # under this a weight moves no odds worth sorting for
_SCALE_QUERIES = 256
_CUT = (-4.0, 8.0)
_SORTED_CELLS = 2**21  # sorting needs about forty bytes a score


def gap(scores: Floats, counted: Bools, deviation: float) -> Floats:
    """How far each score is from the query's mean over ``counted`` candidates, in deviations; float32 like ``scores``."""
    number = np.maximum(counted.sum(1, keepdims=True), 1)
    mean = np.where(counted, scores, 0.0).sum(1, keepdims=True, dtype=np.float64) / number
    return np.clip((scores - mean) / deviation, *_CUT).astype(np.float32)


def order(scores: Floats, counted: Bools) -> Floats:
    """Minus log of the mean rank among the ``counted`` candidates of the row (others: the rank they would have).

    >>> order(np.array([[3.0, 1.0, 3.0, 9.0]], np.float32), np.array([[True, True, True, False]])).round(2)
    array([[-0.41, -1.1 , -0.41, -0.  ]], dtype=float32)
    """
    out = np.empty(scores.shape, np.float32)
    size = max(1, _SORTED_CELLS // max(scores.shape[1], 1))
    for start in range(0, len(scores) if scores.size else 0, size):
        part = slice(start, start + size)
        out[part] = _order(scores[part], counted[part])
    return out


def _order(scores: Floats, counted: Bools) -> Floats:
    rows, columns = scores.shape
    best_first = np.argsort(-scores, axis=1)
    ordered = np.take_along_axis(scores, best_first, axis=1)
    mark = np.take_along_axis(counted, best_first, axis=1)
    upto = np.concatenate((np.zeros((rows, 1), np.int32), np.cumsum(mark, axis=1, dtype=np.int32)), axis=1)
    new = np.concatenate((np.ones((rows, 1), bool), ordered[:, 1:] != ordered[:, :-1]), axis=1)
    place = np.arange(columns, dtype=np.int32)[None, :]
    first = np.maximum.accumulate(np.where(new, place, 0), axis=1)
    ends = np.concatenate((new[:, 1:], np.ones((rows, 1), bool)), axis=1)
    last = np.minimum.accumulate(np.where(ends, place, columns - 1)[:, ::-1], axis=1)[:, ::-1]
    better = np.take_along_axis(upto, first, axis=1)
    equal = np.take_along_axis(upto, last + 1, axis=1) - better - mark
    out = np.empty((rows, columns), np.float32)
    np.put_along_axis(out, best_first, -np.log(1.0 + better + equal / 2.0).astype(np.float32), axis=1)
    return out


@dataclass
class Memory:
    """Features of the queries of each direction that were asked last, by place of the method and kind: for combinations that differ in
    their weights alone, and are asked the same one after the other.
    """

    queries: dict[Direction, Ints] = field(default_factory=dict)
    found: dict[Direction, dict[int, dict[int, Floats]]] = field(default_factory=dict)

    def of(self, queries: Ints, direction: Direction, place: int) -> dict[int, Floats]:
        """What is known of these queries, to be added to."""
        if direction not in self.queries or not np.array_equal(self.queries[direction], queries):
            self.queries[direction], self.found[direction] = queries.copy(), {}
        return self.found[direction].setdefault(place, {})


@dataclass(frozen=True)
class Context:
    """What the features need besides scores: the visible links of each query, and each method's deviation.

    memory: where features are kept that are soon asked again; none are where it is None.
    """

    methods: Sequence[LinkMethod]
    visible: Mapping[Direction, Known]
    candidates: Mapping[Direction, int]
    deviation: Mapping[Direction, Reals]
    memory: Memory | None = None

    @classmethod
    def of(cls, question: LinkQuestion, methods: Sequence[LinkMethod], edges: Mapping[Direction, Ints]) -> "Context":
        """``edges``: the validation edges of each direction whose queries give the deviations."""
        visible = {d: Known.of(question.visible, question.count(other_way(d)), d) for d in edges}
        candidates = {d: question.count(d) for d in edges}
        start = cls(methods, visible, candidates, {})
        deviation = {d: start._deviations(np.unique(sides(question.split.edges.take(e), d)[0]), d) for d, e in edges.items()}
        return cls(methods, visible, candidates, deviation)

    def counted(self, queries: Ints, direction: Direction) -> Bools:
        """Which candidates, bool [queries, candidates], are neither a visible link of the query nor the query itself."""
        counted = np.ones((len(queries), self.candidates[direction]), bool)
        counted[self.visible[direction].pairs(queries)] = False
        return counted

    def features(self, queries: Ints, direction: Direction) -> Floats:
        """float32 [queries, candidates, methods x 2]."""
        counted = self.counted(queries, direction)
        out = np.empty((*counted.shape, FEATURES * len(self.methods)), np.float32)
        for place, method in enumerate(self.methods):
            scores = checked(method, queries, direction, self.candidates[direction])
            out[:, :, FEATURES * place] = self.gap(scores, counted, direction, place)
            out[:, :, FEATURES * place + 1] = self.order(scores, counted)
        return out

    def asked(self, place: int, kinds: Sequence[int], queries: Ints, direction: Direction) -> Mapping[int, Floats]:
        """Kind of feature -> that of the method at ``place``, float32 [queries, candidates]; all kinds where they are remembered."""
        known = {} if self.memory is None else self.memory.of(queries, direction, place)
        if any(kind not in known for kind in kinds):
            counted = self.counted(queries, direction)
            scores = checked(self.methods[place], queries, direction, counted.shape[1])
            for kind in kinds if self.memory is None else range(FEATURES):
                known[kind] = self.feature(kind, scores, counted, direction, place)
        return known

    def feature(self, kind: int, scores: Floats, counted: Bools, direction: Direction, place: int) -> Floats:
        """The gap or the order of the method at ``place``, of its scores [queries, candidates]."""
        return self.order(scores, counted) if kind else self.gap(scores, counted, direction, place)

    def gap(self, scores: Floats, counted: Bools, direction: Direction, place: int) -> Floats:
        """The first feature of the method at ``place``, of its scores [queries, candidates]."""
        return gap(scores, counted, self.deviation[direction][place])

    def order(self, scores: Floats, counted: Bools) -> Floats:
        """The second feature of any method."""
        return order(scores, counted) + np.float32(np.log(max(scores.shape[1], 1)))

    def _deviations(self, queries: Ints, direction: Direction) -> Reals:
        """Each method's root mean square deviation within a query; 1 where it never differs."""
        size = max(1, min(_SCALE_QUERIES, CELLS // max(self.candidates[direction], 1)))
        queries = queries[np.linspace(0, len(queries) - 1, min(size, len(queries))).astype(int)]
        counted = self.counted(queries, direction)
        number = np.maximum(counted.sum(1), 1)
        out = np.ones(len(self.methods))
        for place, method in enumerate(self.methods):
            scores = np.where(counted, checked(method, queries, direction, self.candidates[direction]), 0.0)
            variance = np.square(scores).sum(1) / number - np.square(scores.sum(1) / number)
            usual = float(np.sqrt(np.maximum(variance, 0.0).mean())) if len(queries) else 0.0
            out[place] = usual if usual > 1e-9 else 1.0
        return out


@dataclass(frozen=True)
class Sample:
    """Validation queries with some of their candidates: ``x`` float32 [queries, kept, features], ``offset`` float32 [queries, kept]
    (log of how many candidates one stands for, -inf for none), ``truth`` int64 [queries] column of the true one, ``edge``.
    """

    x: Floats
    offset: Floats
    truth: Ints
    edge: Ints

    def of_edges(self, edges: Ints) -> "Sample":
        """Only the queries of these edges."""
        kept = np.isin(self.edge, edges)
        return Sample(self.x[kept], self.offset[kept], self.truth[kept], self.edge[kept])


def sample(
    context: Context, question: LinkQuestion, edges: Ints, direction: Direction, known: Edges, generator: np.random.Generator
) -> Sample:
    """Features of the queries of ``edges``; ``known`` links (train and valid) and the query itself are no candidates."""
    candidates, width = question.count(direction), FEATURES * len(context.methods)
    index = Known.of(known, question.count(other_way(direction)), direction)
    query, truth = sides(question.split.edges.take(edges), direction)
    size = max(1, CELLS // max(candidates * width, 1))
    parts = []
    for start in range(0, len(edges), size):
        part = slice(start, start + size)
        x = context.features(query[part], direction)
        each = np.arange(len(x))
        usable = np.ones(x.shape[:2], bool)
        usable[index.pairs(query[part])] = False
        usable[each, truth[part]] = True
        parts.append(_thinned(x, usable, truth[part], generator))
    x, offset, column = (np.concatenate(one) for one in zip(*parts, strict=True))
    return Sample(x, offset, column, edges)


def _thinned(x: Floats, usable: Bools, truth: Ints, generator: np.random.Generator) -> tuple[Floats, Floats, Ints]:
    """At most KEPT candidates a query, so that the softmax's sum stays right in expectation."""
    rows, candidates = usable.shape
    if candidates <= KEPT:
        return x, np.where(usable, 0.0, -np.inf).astype(np.float32), truth
    each = np.arange(rows)
    hardness = np.where(usable, x[:, :, 1::FEATURES].sum(2), -np.inf)
    hardness[each, truth] = np.inf
    hard = np.argpartition(-hardness, KEPT // 4, axis=1)[:, : KEPT // 4]
    drawn = generator.integers(candidates, size=(rows, KEPT - KEPT // 4))
    rest = usable.copy()
    rest[each[:, None], hard] = False
    stands = np.take_along_axis(rest, drawn, axis=1)
    share = np.log(np.maximum(rest.sum(1), 1) / np.maximum(stands.sum(1), 1))[:, None]
    columns = np.concatenate((hard, drawn), axis=1)
    offset = np.concatenate((np.where(usable[each[:, None], hard], 0.0, -np.inf), np.where(stands, share, -np.inf)), axis=1)
    column = (hard == truth[:, None]).argmax(1)
    return x[each[:, None], columns], offset.astype(np.float32), column


def fit(samples: Sequence[Sample], barred: Collection[int] = ()) -> Reals:
    """Weights float64 [features], none negative: the most likely ones under the prior, by L-BFGS-B; tiny ones are 0.

    ``barred``: features whose weights stay 0.
    """
    width = samples[0].x.shape[2]
    total = sum(len(one.truth) for one in samples)
    bounds: list[tuple[float, float | None]] = [(0.0, None)] * width
    for number in barred:
        bounds[number] = (0.0, 0.0)

    given = [(one, one.x.reshape(-1, width), np.arange(len(one.truth))) for one in samples]
    of_truth = sum((one.x[each, one.truth].sum(0, dtype=np.float64) for one, _, each in given), np.zeros(width))

    def loss(weights: Reals) -> tuple[float, Reals]:
        value, slope = 0.5 * float(weights @ weights), weights - of_truth
        for one, flat, each in given:  # in single precision and in place: a few times as fast
            logits = (flat @ weights.astype(np.float32)).reshape(one.offset.shape)
            logits += one.offset
            logits -= logits.max(axis=1, keepdims=True)
            of_true = logits[each, one.truth].sum(dtype=np.float64)
            power = np.exp(logits, out=logits)
            sums = power.sum(axis=1, dtype=np.float64)
            value += float(np.log(sums).sum() - of_true)
            power /= sums[:, None].astype(np.float32)
            slope += power.ravel() @ flat
        return value / total, slope / total

    with threadpool_limits(1, "blas"):  # products too small to share: two threads took three times as long
        found = minimize(loss, np.full(width, 0.1), jac=True, method="L-BFGS-B", bounds=bounds)
    return np.where(found.x < _LEAST_WEIGHT, 0.0, found.x)


class Combined(LinkMethod):
    """Score = w . x of a candidate's features; ``weights`` float64 [methods x 2] of each direction."""

    def __init__(self, context: Context, weights: Mapping[Direction, Reals], name: str = OURS) -> None:
        self.name = name
        self._context, self._weights = context, weights

    @property
    def pieces(self) -> tuple[str, ...]:
        """See LinkMethod: those that have a weight in any direction."""
        return tuple(self._context.methods[place].name for place in self._places)

    @property
    def _places(self) -> list[int]:
        used = np.any([w.reshape(-1, FEATURES).any(axis=1) for w in self._weights.values()], axis=0)
        return [int(place) for place in np.flatnonzero(used)]

    def parts(self, queries: Ints, direction: Direction) -> list[Part]:
        """See LinkMethod."""
        counted = self._context.counted(queries, direction)
        made = []
        for place in self._places:
            method = self._context.methods[place]
            given = checked(method, queries, direction, counted.shape[1])
            made.append(Part(method.name, given, self._share(given, counted, direction, place)))
        return made

    def knowing(self, newer: Edges) -> LinkMethod:
        """See LinkMethod: of its methods each."""
        methods = [one.knowing(newer) for one in self._context.methods]
        return Combined(replace(self._context, methods=methods, memory=None), self._weights, self.name)

    def parts_of_newcomer(self, newcomer: Newcomer) -> list[Part]:
        """See LinkMethod."""
        counted = np.ones((1, self._context.candidates["target"]), bool)
        counted[0, newcomer.liked] = False
        found = ((place, self._context.methods[place].of_newcomer(newcomer)) for place in self._places)
        return [
            Part(self._context.methods[place].name, given, self._share(given, counted, "target", place))
            for place, given in found
            if given is not None
        ]

    def of_newcomer(self, newcomer: Newcomer) -> Floats | None:
        """See LinkMethod: the sum of the parts."""
        parts = self.parts_of_newcomer(newcomer)
        return np.sum([part.share for part in parts], axis=0, dtype=np.float32) if parts else None

    def scores(self, queries: Ints, direction: Direction) -> Floats:
        """float32 [len(queries), candidates]; methods and features of weight 0 are not computed."""
        out = np.zeros((len(queries), self._context.candidates[direction]), np.float32)
        for place in self._places:
            kinds = self._kinds(direction, place)
            features = self._context.asked(place, kinds, queries, direction) if kinds else {}
            out += self._sum(features, direction, place, out.shape)
        return out

    def _share(self, given: Floats, counted: Bools, direction: Direction, place: int) -> Floats:
        """What the method at ``place`` adds: float32 [queries, candidates]."""
        kinds = self._kinds(direction, place)
        features = {kind: self._context.feature(kind, given, counted, direction, place) for kind in kinds}
        return self._sum(features, direction, place, counted.shape)

    def _kinds(self, direction: Direction, place: int) -> list[int]:
        """The features of the method at ``place`` that have a weight."""
        return [kind for kind in range(FEATURES) if self._weights[direction][FEATURES * place + kind]]

    def _sum(self, features: Mapping[int, Floats], direction: Direction, place: int, shape: tuple[int, ...]) -> Floats:
        out = np.zeros(shape, np.float32)
        for kind in self._kinds(direction, place):
            out += np.float32(self._weights[direction][FEATURES * place + kind]) * features[kind]
        return out
