"""How far the probabilities of links can be trusted, and where it is better to say nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mmgraph.evaluate.bootstrap import Statistic, draws, grouped, interval
from mmgraph.evaluate.calibrate import Calibrated, Calibration, Isotonic, calibrate
from mmgraph.evaluate.contract import LinkMethod, LinkQuestion
from mmgraph.evaluate.metrics import BINS, ece_of_sums
from mmgraph.evaluate.ranking import Known, checked, rows_at_once
from mmgraph.graph.contract import Graph
from mmgraph.settings import EvaluateSettings
from mmgraph.types import Bools, Floats, Ints

Reals = npt.NDArray[np.float64]
TOP = 10  # best pairs of a query that are looked at
FEWEST = 10  # pairs above a threshold, under which their precision says nothing
_MOST_QUERIES = 2000


@dataclass(frozen=True)
class Bin:
    """``n`` pairs whose probability is in (low, high]: their mean probability, and the share of them that is right."""

    low: float
    high: float
    n: int
    probability: float
    right: float


@dataclass(frozen=True)
class Reliability:
    """Of the TOP best pairs of each test query, or the classes of test items, ``n`` in all: the calibration error ``ece`` with its
    interval ``low`` to ``high``.
    """

    n: int
    ece: float
    low: float | None
    high: float | None
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Trust:
    """Probabilities of one relation's links, and where to abstain.

    threshold: of the best TOP pairs of validation queries, those at least this probable are right with a share of ``precision``;
    None where no threshold reaches that. validated: the groups of sources (see ``groups``) that validation links have.
    """

    calibration: Calibrated
    precision: float
    threshold: float | None
    validated: tuple[str, ...]
    reliability: Reliability | None

    @property
    def text(self) -> str:
        """One sentence: where it abstains."""
        if self.threshold is None:
            return f"all abstain: no threshold on validation had a precision of {self.precision:g}"
        return (
            f"abstained where the probability is under {self.threshold:.3g} (precision {self.precision:g} on validation), or the "
            "source is unlike all that validation had"
        )

    def unlike(self, question: LinkQuestion) -> Bools:
        """Which sources, bool [sources], are unlike all that was validated."""
        names, code = _groups(question.graph, question.relation.source)
        return np.array([name not in self.validated for name in names])[code]

    def abstains(self, unlike: Bools, probability: Floats) -> Bools:
        """Whether to say nothing of pairs: too improbable for the stated precision, or of a source that is ``unlike``; bool [pairs]."""
        if self.threshold is None:
            return np.ones(len(probability), bool)
        return (probability < self.threshold) | unlike


@dataclass(frozen=True)
class Best:
    """The best pairs of some queries: ``query`` int64, ``score`` float32, ``right`` bool; one entry a pair."""

    query: Ints
    score: Floats
    right: Bools


def trust(
    question: LinkQuestion, method: LinkMethod, settings: EvaluateSettings, seed: int, validated: Sequence[str] = ()
) -> Trust:
    """Calibrate on validation, choose the threshold there, and see on test whether the probabilities hold.

    ``validated``: what the answer says of its sources; the caller knows what a source is.
    """
    split = question.split
    calibration = calibrate(question, method, seed, shape=settings.calibration)
    valid = best(question, method, split.valid, split.train, seed)
    threshold = lowest_threshold(calibration.probability(valid.score), valid.right, settings.precision)
    told = method.knowing(split.edges.take(split.valid))
    test = best(question, told, split.test, np.concatenate((split.train, split.valid)), seed)
    found = measured(calibration.probability(test.score), test.right, test.query, settings, seed)
    return Trust(calibration, settings.precision, threshold, tuple(validated), found)


def best(question: LinkQuestion, method: LinkMethod, edges: Ints, known: Ints, seed: int) -> Best:
    """The TOP best targets of each query of ``edges`` that are not ``known`` (positions); right are those of ``edges``."""
    asked, links, candidates = question.split.edges, question.split.edges.take(edges), question.count("target")
    queries = np.unique(links.source)
    if len(queries) > _MOST_QUERIES:
        queries = np.sort(np.random.default_rng([seed, 0xBE57]).permutation(queries)[:_MOST_QUERIES])
    index = Known.of(asked.take(known), question.count("source"), "target")
    true = np.unique(links.source * candidates + links.target)
    size, parts = rows_at_once(1024, candidates), [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))]
    for start in range(0, len(queries), size):
        part = queries[start : start + size]
        scores = checked(method, part, "target", candidates).copy()
        scores[index.pairs(part)] = -np.inf
        parts.append(_best_of(scores, part))
    query, column, score = (np.concatenate(one) for one in zip(*parts, strict=True))
    return Best(query, score, np.isin(query * candidates + column, true))


def _best_of(scores: Floats, queries: Ints) -> tuple[Ints, Ints, Floats]:
    k = min(TOP, scores.shape[1])
    columns = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    value = np.take_along_axis(scores, columns, axis=1)
    row, place = np.nonzero(np.isfinite(value))
    return queries[row], columns[row, place], value[row, place]


def lowest_threshold(probability: Floats, right: Bools, precision: float) -> float | None:
    """The lowest probability from which on the pairs, FEWEST at least, are right with a share of ``precision``; else None.

    >>> chance = np.repeat(np.array([0.9, 0.5, 0.1], np.float32), 10)
    >>> lowest_threshold(chance, np.repeat([True, False, False], 10), 0.5)
    0.5
    """
    order = np.argsort(-probability, kind="stable")
    ordered, share = probability[order], np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    last = np.append(ordered[1:] != ordered[:-1], True)[: len(order)]  # equal probabilities stand or fall together
    usable = np.flatnonzero(last & (share >= precision) & (np.arange(len(order)) + 1 >= FEWEST))
    return float(ordered[usable[-1]]) if len(usable) else None


def measured(said: Floats, right: Bools, units: Ints, settings: EvaluateSettings, seed: int) -> Reliability | None:
    """Of predictions that ``said`` a probability and were ``right`` or not; an interval draws ``units``. None of nothing."""
    if not len(said):
        return None
    probability = said.astype(np.float64)  # as ``ece_sums`` cuts them: float32 puts what is on an edge elsewhere
    place = np.clip(np.ceil(probability * BINS).astype(int) - 1, 0, BINS - 1)
    sums = np.zeros((len(place), BINS + 1))
    sums[np.arange(len(place)), place] = probability - right
    sums[:, BINS] = 1.0
    error = Statistic(grouped(sums, units), ece_of_sums)
    low, high = None, None
    if settings.bootstrap:
        low, high = interval(draws([error], settings.bootstrap, seed)[0], settings.level)
    bins = tuple(_bin(number, probability[place == number], right[place == number]) for number in np.unique(place))
    return Reliability(len(place), error.value, low, high, bins)


def _bin(number: int, probability: Reals, right: Bools) -> Bin:
    low, high = round(float(number) / BINS, 4), round(float(number + 1) / BINS, 4)
    return Bin(low, high, len(right), float(probability.mean()), float(right.mean()))


def groups(graph: Graph, kind: str) -> npt.NDArray[np.object_]:
    """What each item of a kind is like, str [items]: whether the visible graph links it at all, and which modalities it has.

    Coarse on purpose: an item of a group that no validation link has is unlike all for which the probabilities were checked.
    """
    names, code = _groups(graph, kind)
    return np.array(names, dtype=object)[code]


def _groups(graph: Graph, kind: str) -> tuple[list[str], Ints]:
    """Names of all groups there could be, and the place of each item's."""
    linked = np.zeros(graph.count(kind), bool)
    for relation, edges in graph.edges.items():
        for end, positions in ((relation.source, edges.source), (relation.target, edges.target)):
            if end == kind:
                linked[positions] = True
    present = {modality: one.present for modality, one in sorted(graph.features_of(kind).items())}
    code = linked.astype(np.int64)
    for place, mask in enumerate(present.values()):
        code += mask.astype(np.int64) << (place + 1)
    return [_name(number, list(present)) for number in range(2 << len(present))], code


def _name(code: int, modalities: Sequence[str]) -> str:
    """A group in words.

    >>> _name(0b101, ["audio", "image"])
    'linked, with image'
    """
    has = [one for place, one in enumerate(modalities) if code >> (place + 1) & 1]
    return ("linked" if code & 1 else "unlinked") + (f", with {' and '.join(has)}" if has else "")


def validated_groups(question: LinkQuestion) -> tuple[str, ...]:
    """The groups of the sources of a relation's validation links, in order."""
    sources = question.split.edges.source[question.split.valid]
    return tuple(sorted(set(groups(question.graph, question.relation.source)[sources].tolist())))


def as_record(one: Trust) -> dict[str, Any]:
    """As calibration.json holds it."""
    record = asdict(one)
    record["calibration"] = {
        "shape": "isotonic" if isinstance(one.calibration, Isotonic) else "platt",
        **asdict(one.calibration),
    }
    return record


def from_record(record: Mapping[str, Any]) -> Trust:
    """What ``as_record`` was given; raises KeyError or TypeError where it is something else."""
    parameters = dict(record["calibration"])
    shape = parameters.pop("shape")
    calibration: Calibrated
    if shape == "isotonic":
        calibration = Isotonic(tuple(parameters["scores"]), tuple(parameters["probabilities"]))
    else:
        calibration = Calibration(**parameters)
    found = record["reliability"]
    reliability = None if found is None else Reliability(**{**found, "bins": tuple(Bin(**one) for one in found["bins"])})
    return Trust(calibration, record["precision"], record["threshold"], tuple(record["validated"]), reliability)
