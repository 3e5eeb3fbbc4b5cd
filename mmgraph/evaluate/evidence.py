"""What a run hands out: the gnn, a baseline, or their combination, whichever validation chooses.

Weights are fitted on validation and judged on validation as well, so they are judged by cross-fitting: the queries are cut
into folds, and each fold is ranked with weights of the other folds. A combination has to be better than the best single method
by more than one standard error of the paired difference, else the simpler one is handed out (the one-standard-error rule,
Hastie, Tibshirani & Friedman 2009, section 7.10). Test is not read here.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mmgraph.evaluate.contract import OURS, Direction, LabelQuestion, LinkMethod, LinkQuestion
from mmgraph.evaluate.evaluate import groups_of
from mmgraph.evaluate.fusion import FEATURES, Combined, Context, Sample, fit, sample
from mmgraph.evaluate.gnn import ScorerLinks
from mmgraph.evaluate.pool import Pool, fit_pool
from mmgraph.evaluate.ranking import cells_of, ranks
from mmgraph.settings import EvaluateSettings
from mmgraph.types import Floats, Ints

Reals = npt.NDArray[np.float64]
_LOG = logging.getLogger(__name__)
FEWEST = 20  # validation links or items under which nothing is fitted
FEWEST_BY_DIRECTION = 100  # validation links from which each direction has weights of its own
FOLDS = 5
MOST_LINKS = (
    100,
    2000,
)  # validation links that are used, a random sample: fewer where there are many candidates, within these
_CELLS = 2**24  # scores a method and direction that this takes
MARGIN = 1.0  # standard errors
COMBINATION = "combination"


@dataclass(frozen=True)
class Piece:
    """One method: its value on validation, None without validation data, and its weights in the combination fitted on it."""

    name: str
    value: float | None
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class EvidenceReport:
    """What was chosen, and why.

    metric: mrr or accuracy on the ``n`` validation links or items that were used; combination: its cross-fitted value, None
    where none was fitted; difference: to the best single method, with its standard ``error``.
    """

    target: str
    metric: str
    chosen: str
    n: int
    pieces: tuple[Piece, ...]
    combination: float | None = None
    difference: float | None = None
    error: float | None = None

    @property
    def text(self) -> str:
        """One sentence."""
        if not self.n:
            return f"{self.target}: no validation data, so {self.chosen} is handed out unchosen"
        value, best = max((piece.value or 0.0, piece.name) for piece in self.pieces)
        start = f"{self.target}: {self.chosen} is handed out; on {self.n} of validation the best single method, {best}, "
        start += f"has {self.metric} {value:.3f}"
        if self.combination is None:
            return f"{start} (too few to fit a combination)" if len(self.pieces) > 1 else start
        return f"{start}, the combination {self.combination:.3f} by cross-fitting"


def combine_links(
    question: LinkQuestion, methods: Sequence[LinkMethod], settings: EvaluateSettings, seed: int
) -> tuple[LinkMethod, EvidenceReport]:
    """Choose on validation among the methods, the gnn first, and their combination; the method handed out is named OURS."""
    target, valid = question.name, used_of_validation(question, seed)
    if not len(valid):
        report = EvidenceReport(target, "mrr", methods[0].name, 0, tuple(Piece(m.name, None) for m in methods))
        return _report(methods[0], report)
    single = [_reciprocals(method, question, valid, settings) for method in methods]
    values = [float(one.mean()) for one in single]
    best = int(np.argmax(values))
    pieces = tuple(Piece(method.name, value) for method, value in zip(methods, values, strict=True))
    if len(valid) < FEWEST or len(methods) < 2:
        return _report(methods[best], EvidenceReport(target, "mrr", methods[best].name, len(valid), pieces))
    fold = _folds(question.units(valid), seed)
    samples, context = _samples(question, methods, valid, seed)
    crossed = np.zeros_like(single[0])
    for number in range(FOLDS):
        others = {d: one.of_edges(valid[fold != number]) for d, one in samples.items()}
        held = fold == number
        crossed[held] = _reciprocals(Combined(context, _weights(others)), question, valid[held], settings)
    difference, error = _paired(crossed, single[best])
    weights = _weights(samples)
    pieces = tuple(Piece(p.name, p.value, _named(weights, place)) for place, p in enumerate(pieces))
    better = difference > MARGIN * error and difference > 0
    chosen: LinkMethod = Combined(context, weights) if better else methods[best]
    name = COMBINATION if better else methods[best].name
    numbers = (float(crossed.mean()), difference, error)
    return _report(chosen, EvidenceReport(target, "mrr", name, len(valid), pieces, *numbers))


def combine_labels(question: LabelQuestion, predictions: Mapping[str, Floats], seed: int) -> tuple[Floats, EvidenceReport]:
    """Choose on validation among predictions [items, classes], the gnn first, and their weighted log-linear pool.

    Gives probabilities [items, classes]. The temperature of what is handed out is fitted on validation too. The pool has to be
    as accurate as the best single one, and better in log-likelihood by more than a standard error (accuracy alone is too
    coarse on few items). Segments of one video stay in one fold.
    """
    target, valid = question.split.labels.target, question.split.valid
    names, stack = list(predictions), np.stack(list(predictions.values()))
    if not len(valid):
        report = EvidenceReport(target, "accuracy", names[0], 0, tuple(Piece(name, None) for name in names))
        _LOG.info(report.text)
        return stack[0], report
    truth = question.split.labels.values[valid]
    correct = (stack[:, valid].argmax(2) == truth).astype(np.float64)
    values = correct.mean(1)
    pieces = tuple(Piece(name, float(value)) for name, value in zip(names, values, strict=True))
    if len(valid) < FEWEST:
        best = int(np.argmax(values))
        report = EvidenceReport(target, "accuracy", names[best], len(valid), pieces)
        _LOG.info(report.text)
        return stack[best], report
    fold = _folds(groups_of(question, valid), seed)
    tied = np.flatnonzero(values == values.max())
    best = int(tied[np.argmax([_crossed(stack[[one]], valid, truth, fold)[1].mean() for one in tied])])
    _, likelihood_single = _crossed(stack[[best]], valid, truth, fold)
    crossed, likelihood = _crossed(stack, valid, truth, fold)
    gain, gain_error = _paired(likelihood, likelihood_single)
    difference, error = _paired(crossed, correct[best])
    better = len(names) > 1 and difference >= 0 and gain > MARGIN * gain_error and gain > 0
    pool = fit_pool(stack[:, valid], truth)
    pieces = tuple(Piece(p.name, p.value, {"log": float(w)}) for p, w in zip(pieces, pool.weights, strict=True))
    chosen = pool.of(stack) if better else fit_pool(stack[[best]][:, valid], truth).of(stack[[best]])
    name = COMBINATION if better else names[best]
    report = EvidenceReport(target, "accuracy", name, len(valid), pieces, float(crossed.mean()), difference, error)
    _LOG.info(report.text)
    return chosen, report


def _report(chosen: LinkMethod, report: EvidenceReport) -> tuple[LinkMethod, EvidenceReport]:
    _LOG.info(report.text)
    return chosen if chosen.name == OURS else ScorerLinks(OURS, chosen.scores), report


def _reciprocals(method: LinkMethod, question: LinkQuestion, edges: Ints, settings: EvaluateSettings) -> Reals:
    """Mean reciprocal rank of each edge's two directions; the filter knows train and valid only."""
    known = _known(question)
    cells = cells_of(settings.memory_mb)
    both = [1.0 / ranks(method, question, edges, way, settings.block, known, cells=cells).rank for way in question.directions]
    return np.mean(both, axis=0)


def _known(question: LinkQuestion) -> Ints:
    return np.concatenate((question.split.train, question.split.valid))


def used_of_validation(question: LinkQuestion, seed: int) -> Ints:
    """The validation links that are used, in order."""
    fewest, most = MOST_LINKS
    size = max(fewest, min(most, _CELLS // max(question.count("source"), question.count("target"), 1)))
    chosen = np.random.default_rng([seed, 0x5A3D]).permutation(question.split.valid)[:size]
    return np.sort(chosen)


def _samples(
    question: LinkQuestion, methods: Sequence[LinkMethod], valid: Ints, seed: int
) -> tuple[dict[Direction, Sample], Context]:
    generator = np.random.default_rng([seed, 0xE71D])
    known = question.split.edges.take(_known(question))
    context = Context.of(question, methods, dict.fromkeys(question.directions, valid))
    return {d: sample(context, question, valid, d, known, generator) for d in question.directions}, context


def _weights(samples: Mapping[Direction, Sample]) -> dict[Direction, Reals]:
    """Weights of each direction; the same for both where links are few."""
    if min(len(one.truth) for one in samples.values()) >= FEWEST_BY_DIRECTION:
        return {direction: fit([one]) for direction, one in samples.items()}
    return dict.fromkeys(samples, fit(list(samples.values())))


def _named(weights: Mapping[Direction, Reals], place: int) -> dict[str, float]:
    kinds = ("gap", "order")
    return {f"{kinds[i]}/{d}": float(w[FEATURES * place + i]) for d, w in weights.items() for i in range(FEATURES)}


def _folds(groups: Ints, seed: int) -> Ints:
    """A fold 0..FOLDS-1 for each entry; entries of one group share it."""
    names, row = np.unique(groups, return_inverse=True)
    shuffled = np.random.default_rng([seed, 0xF01D]).permutation(len(names))
    return (shuffled % FOLDS)[row].astype(np.int64)


def _crossed(stack: Floats, valid: Ints, truth: Ints, fold: Ints) -> tuple[Reals, Reals]:
    """(correct, log-likelihood) of each validation item by a pool fitted on the other folds."""
    correct, likelihood = np.zeros(len(valid)), np.zeros(len(valid))
    for number in np.unique(fold):
        held, others = fold == number, fold != number
        pool = fit_pool(stack[:, valid[others]], truth[others]) if others.any() else Pool.even(len(stack))
        made = pool.of(stack[:, valid[held]])
        correct[held] = made.argmax(1) == truth[held]
        likelihood[held] = np.log(made[np.arange(len(made)), truth[held]])
    return correct, likelihood


def _paired(first: Reals, second: Reals) -> tuple[float, float]:
    """Mean difference, and its standard error."""
    difference = first - second
    return float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(len(difference)))
