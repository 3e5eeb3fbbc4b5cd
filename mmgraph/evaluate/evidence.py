"""What a run hands out: the gnn, a baseline, or their combination, whichever validation chooses.

Weights are fitted on validation and judged on validation as well, so they are judged by cross-fitting: the queries are cut
into folds, and each fold is ranked with weights of the other folds. A combination for links has to be better than the best single
method by more than one standard error of the paired difference, else the simpler one is handed out (the one-standard-error rule,
Hastie, Tibshirani & Friedman 2009, section 7.10); what is asked of one for categories stands at ``combine_labels``. Test is not read here.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from mmgraph.evaluate.baselines.choice import sample_of
from mmgraph.evaluate.contract import OURS, Direction, LabelQuestion, LinkMethod, LinkQuestion
from mmgraph.evaluate.evaluate import groups_of
from mmgraph.evaluate.fusion import FEATURES, Combined, Context, Memory, Sample, fit, sample
from mmgraph.evaluate.gnn import Named
from mmgraph.evaluate.pool import Pool, SeveralPool, fit_pool
from mmgraph.evaluate.ranking import CELLS, cells_of
from mmgraph.evaluate.rightness import figure, likelihoods, rightness
from mmgraph.evaluate.worth import worth
from mmgraph.settings import EvaluateSettings
from mmgraph.types import Bools, Floats, Ints

Reals = npt.NDArray[np.float64]
_LOG = logging.getLogger(__name__)
FEWEST = 20  # validation links or items under which nothing is fitted
FEWEST_BY_DIRECTION = 100  # validation links from which each direction has weights of its own
FOLDS = 5
MOST_LINKS = (
    100,
    2000,
)  # validation links that are used, a random sample: fewer where there are many candidates, within these
MOST_ABLATED = 500  # of these, on which it is measured what each method is worth
_CELLS = 2**24  # scores a method and direction that this takes
MARGIN = 1.0  # standard errors
_WORTH = 1e-4  # of log-likelihood an item: less is rounding
COMBINATION = "combination"
BASE = "ease"  # of recommendations: a linear model that is hard to beat


@dataclass(frozen=True)
class Piece:
    """One method: its value alone on validation, None without validation data, and its weights in the combination fitted on it.

    without: the cross-fitted value of the combination of all others, fitted anew; None where no combination was fitted. added: the
    cross-fitted value of this and the report's ``base`` combined, minus that of the base alone, and the standard error of the paired
    difference; None where there is no base.
    """

    name: str
    value: float | None
    weights: Mapping[str, float] = field(default_factory=dict)
    without: float | None = None
    added: tuple[float, float] | None = None


@dataclass(frozen=True)
class EvidenceReport:
    """What was chosen, and why.

    metric: mrr, ndcg@k, accuracy or lrap on the ``n`` validation links, users or items that were used; combination: its cross-fitted value,
    None where none was fitted; difference: to the best single method, with its standard ``error``. base: the piece to which it is told
    what each other adds: BASE, where users are recommended items and it is among the pieces.
    """

    target: str
    metric: str
    chosen: str
    n: int
    pieces: tuple[Piece, ...]
    combination: float | None = None
    difference: float | None = None
    error: float | None = None
    base: str | None = None

    @property
    def value(self) -> float | None:
        """On validation, of what was chosen: the combination's by cross-fitting; None without validation data."""
        if self.chosen == COMBINATION:
            return self.combination
        return next(piece.value for piece in self.pieces if piece.name == self.chosen)

    @property
    def carrier(self) -> Piece | None:
        """The piece of a combination that it loses most without, of equal ones the better one alone; None for a single method."""
        if self.chosen != COMBINATION:
            return None
        told = [piece for piece in self.pieces if piece.without is not None]
        return min(told, key=lambda piece: (piece.without or 0.0, -(piece.value or 0.0)), default=None)

    @property
    def carried(self) -> str:
        """What carries the answer, as the verdict says it."""
        if not self.n:
            return f"nothing to choose on, so it is {self.chosen} alone"
        one = self.carrier
        if one is None:
            return f"validation chose {self.chosen} alone{self._added}"
        kept, left = f"{self.combination:.3f}", f"{one.without:.3f}"
        metric = self.metric.upper() if "@" in self.metric else self.metric
        start = f"carried by {one.name}: of the combination's {metric} on validation, {kept}, {left} is left without it"
        return f"{start}{self._added}"

    @property
    def _added(self) -> str:
        """What each piece adds to the base, most first; those that add no more than MARGIN standard errors are named alone."""
        told = sorted(((p.added, p.name) for p in self.pieces if p.added is not None), reverse=True)
        if self.base is None or not told:
            return ""
        much = [f"{name} {value:+.3f} (± {error:.3f})" for (value, error), name in told if value > MARGIN * error]
        nothing = [name for (value, error), name in told if value <= MARGIN * error]
        start = f"; to {self.base} alone add, on validation: " + (", ".join(much) or "nothing")
        return start + (f"; {', '.join(nothing)} nothing that can be told" if much and nothing else "")

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
        report = EvidenceReport(target, question.figure, methods[0].name, 0, tuple(Piece(m.name, None) for m in methods))
        return _report(methods[0], report)
    judged = question.judged(valid)
    single = [_worth(method, question, valid, settings)[judged] for method in methods]
    values = [float(one.mean()) for one in single]
    best = int(np.argmax(values))
    pieces = tuple(Piece(method.name, value) for method, value in zip(methods, values, strict=True))
    if len(judged) < FEWEST or len(methods) < 2:
        return _report(methods[best], EvidenceReport(target, question.figure, methods[best].name, len(judged), pieces))
    fold = folds(question.units(valid), seed)
    samples, context = _samples(question, methods, valid, seed)
    weights = _weights(question, samples)
    cross = _Cross(question, context, samples, valid, fold, settings)
    crossed = cross.worth([()])[0, judged]
    difference, error = _paired(crossed, single[best])
    each = [_named(weights, place) for place in range(len(methods))]
    base = _base(question, methods)
    told = _ablation(cross, float(crossed.mean()), [any(one.values()) for one in each], base, seed)
    pieces = tuple(Piece(p.name, p.value, w, *one) for p, w, one in zip(pieces, each, told, strict=True))
    better = difference > MARGIN * error and difference > 0
    chosen: LinkMethod = Combined(context, weights) if better else methods[best]
    name = COMBINATION if better else methods[best].name
    numbers = (float(crossed.mean()), difference, error)
    told_to = None if base is None else BASE
    return _report(chosen, EvidenceReport(target, question.figure, name, len(judged), pieces, *numbers, told_to))


def _base(question: LinkQuestion, methods: Sequence[LinkMethod]) -> int | None:
    """The place of BASE, where it is told what others add to it."""
    names = [method.name for method in methods]
    return names.index(BASE) if question.by_place and BASE in names else None


def combine_labels(question: LabelQuestion, predictions: Mapping[str, Floats], seed: int) -> tuple[Floats, EvidenceReport]:
    """Choose on validation among predictions [items, classes], the gnn first, and their weighted log-linear pool.

    Gives probabilities [items, classes]. The temperature of what is handed out is fitted on validation too. The pool is taken where it is
    likelier by cross-fitting than the best single one, and not less accurate by more than a standard error: which single one is best is
    itself a choice on few items, and the pool errs less by it. Segments of one video stay in one fold.
    """
    target, valid, metric = question.split.labels.target, question.split.valid, figure(question.split.labels)
    names, stack = list(predictions), np.stack(list(predictions.values()))
    if not len(valid):
        report = EvidenceReport(target, metric, names[0], 0, tuple(Piece(name, None) for name in names))
        _LOG.info(report.text)
        return stack[0], report
    truth = question.split.labels.truth(valid)
    correct = np.stack([rightness(one[valid], truth) for one in stack])
    values = correct.mean(1)
    pieces = tuple(Piece(name, float(value)) for name, value in zip(names, values, strict=True))
    if len(valid) < FEWEST:
        best = int(np.argmax(values))
        report = EvidenceReport(target, metric, names[best], len(valid), pieces)
        _LOG.info(report.text)
        return stack[best], report
    fold = folds(groups_of(question, valid), seed)
    tied = np.flatnonzero(values == values.max())
    best = int(tied[np.argmax([_crossed(stack[[one]], valid, truth, fold)[1].mean() for one in tied])])
    _, likelihood_single = _crossed(stack[[best]], valid, truth, fold)
    crossed, likelihood = _crossed(stack, valid, truth, fold)
    difference, error = _paired(crossed, correct[best])
    likelier = float((likelihood - likelihood_single).mean()) > _WORTH
    better = len(names) > 1 and likelier and difference >= -MARGIN * error
    pool = fit_pool(stack[:, valid], truth)
    without = [_accuracy_without(stack, place, valid, truth, fold) for place in range(len(names))]
    pieces = tuple(
        Piece(p.name, p.value, {"log": float(w)}, left) for p, w, left in zip(pieces, pool.weights, without, strict=True)
    )
    name = COMBINATION if better else names[best]
    chosen = pool.of(stack) if better else handed_out(question, predictions, name)
    report = EvidenceReport(target, metric, name, len(valid), pieces, float(crossed.mean()), difference, error)
    _LOG.info(report.text)
    return chosen, report


def handed_out(question: LabelQuestion, predictions: Mapping[str, Floats], chosen: str) -> Floats:
    """Probabilities [items, classes] of the method of this name, or of the COMBINATION of all, its temperature or weights fitted on
    validation where there is enough of it.
    """
    stack = np.stack(list(predictions.values()) if chosen == COMBINATION else [predictions[chosen]])
    valid = question.split.valid
    if len(valid) < FEWEST:
        return np.asarray(stack[0], np.float32)
    return fit_pool(stack[:, valid], question.split.labels.truth(valid)).of(stack)


def _report(chosen: LinkMethod, report: EvidenceReport) -> tuple[LinkMethod, EvidenceReport]:
    _LOG.info(report.text)
    return chosen if chosen.name == OURS else Named(OURS, chosen), report


def _worth(method: LinkMethod, question: LinkQuestion, edges: Ints, settings: EvaluateSettings) -> Reals:
    return worth(method, question, edges, settings.block, cells_of(settings.memory_mb))


def _known(question: LinkQuestion) -> Ints:
    return np.concatenate((question.split.train, question.split.valid))


def used_of_validation(question: LinkQuestion, seed: int) -> Ints:
    """The validation links that are used, in order."""
    fewest, most = MOST_LINKS
    size = max(fewest, min(most, _CELLS // max(question.count("source"), question.count("target"), 1)))
    return sample_of(question, size, 0x5A3D, seed)


@dataclass(frozen=True)
class _Cross:
    """The validation links ``valid`` in folds, each ranked with weights of the other folds.

    The samples are made once for all fits, and the features of a block of queries once for all combinations.
    """

    question: LinkQuestion
    context: Context
    samples: Mapping[Direction, Sample]
    valid: Ints
    fold: Ints
    settings: EvaluateSettings

    def worth(self, left_out: Sequence[Collection[int]]) -> Reals:
        """Of each link, without the methods at each of these places: float64 [sets of places, links]."""
        out = np.zeros((len(left_out), len(self.valid)))
        context = replace(self.context, memory=Memory())
        for number in np.unique(self.fold):
            held = self.fold == number
            others = {d: one.of_edges(self.valid[~held]) for d, one in self.samples.items()}
            made = [Combined(context, _weights(self.question, others, places)) for places in left_out]
            for some in self._blocks(np.flatnonzero(held)):
                for row, method in enumerate(made):
                    out[row, some] = _worth(method, self.question, self.valid[some], self.settings)
        return out

    def _blocks(self, places: Ints) -> list[Ints]:
        """Places in ``valid`` whose features are held at once: all of a unit together, and few units."""
        widest = max(self.context.candidates.values()) * FEATURES * len(self.context.methods)
        size = max(1, min(self.settings.block, CELLS // max(widest, 1)))
        order = np.argsort(self.question.units(self.valid[places]), kind="stable")
        units = self.question.units(self.valid[places[order]])
        starts = np.flatnonzero(np.r_[True, units[1:] != units[:-1]])
        ends, cuts, begun = np.r_[starts[1:], len(units)], list[int](), 0
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            if end - begun > size and start > begun:
                cuts.append(start)
                begun = start
        return np.split(places[order], cuts)


def _ablation(
    cross: _Cross, whole: float, used: Sequence[bool], base: int | None, seed: int
) -> list[tuple[float, tuple[float, float] | None]]:
    """Of each method the combination's value without it, and what it adds to the one at ``base``; ``used``: it has a weight in the
    combination, whose value is ``whole``.

    Where there are more than MOST_ABLATED links, the differences are those on so many of them, a random sample.
    """
    every, places = range(len(used)), [place for place, one in enumerate(used) if one]
    others = [] if base is None else [place for place in every if place != base]
    if not places and not others:
        return [(whole, None)] * len(used)
    if len(cross.valid) > MOST_ABLATED:
        some = np.searchsorted(cross.valid, sample_of(cross.question, MOST_ABLATED, 0xAB1A, seed, cross.valid))
        cross = replace(cross, valid=cross.valid[some], fold=cross.fold[some])
        cross = replace(cross, samples={d: one.of_edges(cross.valid) for d, one in cross.samples.items()})
    pairs = [set(every) - {base, place} for place in others]
    alone = [] if base is None else [set(every) - {base}]
    left_out: list[Collection[int]] = [set(), *({place} for place in places), *alone, *pairs]
    made = cross.worth(left_out)[:, cross.question.judged(cross.valid)]
    own, lost = made[0].mean(), dict(zip(places, made[1:], strict=False))
    without = [whole - float(own - lost[place].mean()) if place in lost else whole for place in every]
    gained = dict(zip(others, made[1 + len(places) + len(alone) :], strict=True))
    by_base = {place: _paired(one, made[1 + len(places)]) for place, one in gained.items()}
    return [(without[place], by_base.get(place)) for place in every]


def _samples(
    question: LinkQuestion, methods: Sequence[LinkMethod], valid: Ints, seed: int
) -> tuple[dict[Direction, Sample], Context]:
    generator = np.random.default_rng([seed, 0xE71D])
    known = question.split.edges.take(_known(question))
    context = Context.of(question, methods, dict.fromkeys(question.directions, valid))
    if len(question.judged(valid)) < len(valid):  # the links of one list are no independent witnesses: one of each, by chance
        mixed = generator.permutation(valid)
        valid = np.sort(mixed[question.judged(mixed)])
    return {d: sample(context, question, valid, d, known, generator) for d in question.directions}, context


def _weights(
    question: LinkQuestion, samples: Mapping[Direction, Sample], left_out: Collection[int] = ()
) -> dict[Direction, Reals]:
    """Weights of each direction; the same for both where links are few. ``left_out``: places of methods without a weight."""
    width = next(iter(samples.values())).x.shape[2]
    barred = set(range(0, width, FEATURES)) if question.by_place else set[int]()
    for place in left_out:
        barred |= set(range(FEATURES * place, FEATURES * (place + 1)))
    if min(len(one.truth) for one in samples.values()) >= FEWEST_BY_DIRECTION:
        return {direction: fit([one], barred) for direction, one in samples.items()}
    return dict.fromkeys(samples, fit(list(samples.values()), barred))


def _named(weights: Mapping[Direction, Reals], place: int) -> dict[str, float]:
    kinds = ("gap", "order")
    return {f"{kinds[i]}/{d}": float(w[FEATURES * place + i]) for d, w in weights.items() for i in range(FEATURES)}


def folds(groups: Ints, seed: int) -> Ints:
    """A fold 0..FOLDS-1 for each entry; entries of one group share it. Where all are of one group no other can judge: each is its own."""
    names, row = np.unique(groups, return_inverse=True)
    if len(names) == 1:
        names = row = np.arange(len(groups))
    shuffled = np.random.default_rng([seed, 0xF01D]).permutation(len(names))
    return (shuffled % FOLDS)[row].astype(np.int64)


def _crossed(stack: Floats, valid: Ints, truth: Ints | Bools, fold: Ints) -> tuple[Reals, Reals]:
    """(correct, log-likelihood) of each validation item by a pool fitted on the other folds."""
    untrained = SeveralPool if truth.dtype == bool else Pool
    correct, likelihood = np.zeros(len(valid)), np.zeros(len(valid))
    for number in np.unique(fold):
        held, others = fold == number, fold != number
        pool = fit_pool(stack[:, valid[others]], truth[others]) if others.any() else untrained.even(len(stack))
        made = pool.of(stack[:, valid[held]])
        correct[held], likelihood[held] = rightness(made, truth[held]), likelihoods(made, truth[held])
    return correct, likelihood


def _accuracy_without(stack: Floats, place: int, valid: Ints, truth: Ints | Bools, fold: Ints) -> float | None:
    """Cross-fitted accuracy of the pool of all others; None where there are none."""
    if len(stack) < 2:
        return None
    return float(_crossed(np.delete(stack, place, axis=0), valid, truth, fold)[0].mean())


def _paired(first: Reals, second: Reals) -> tuple[float, float]:
    """Mean difference, and its standard error."""
    difference = first - second
    return float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(len(difference)))
