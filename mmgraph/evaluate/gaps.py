"""Gaps within a group: chains that nobody has joined, pauses in time, and known neighbours that do not look like it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mmgraph.evaluate.again import Everyone
from mmgraph.evaluate.bootstrap import Statistic, draws, interval
from mmgraph.evaluate.chains import Chains, bridged
from mmgraph.evaluate.contract import OURS, LinkQuestion
from mmgraph.evaluate.groups import Group, trusted
from mmgraph.evaluate.order import CHANCE, Reals, confidences, weighed
from mmgraph.settings import EvaluateSettings
from mmgraph.types import Floats, Ints, Times

What = Literal["open", "pause", "jump"]


@dataclass(frozen=True)
class Gap:
    """One gap. what: ``open``, no known link goes on from ``source``, and the bridge is the most likely one; ``pause``, between two known
    neighbours ``gap_s`` seconds pass; ``jump``, the content of two known neighbours speaks against it: a piece may be missing.

    confidence: against the rivals of the pair, of which each has ``chance`` where nothing is known; probability, abstain: None for a
    method that is not what the run hands out.
    """

    group: str
    what: What
    source: int
    target: int
    gap_s: float | None
    score: float
    confidence: float
    chance: float
    probability: float | None
    abstain: bool | None


@dataclass(frozen=True)
class Bridging:
    """How many of ``n`` held-out links a method finds again as bridges, as a share with its interval over groups."""

    method: str
    n: int
    share: float
    low: float | None
    high: float | None


def open_gaps(group: Group, question: LinkQuestion, everyone: Everyone, method: str = OURS) -> list[Gap]:
    """The gaps between the chains of all known links, with their bridges."""
    edges = question.split.edges.take(group.within)
    chains = Chains.of(group.items, edges.source, edges.target)
    found = bridged(everyone.methods[method], chains)
    chance = _chance(len(chains))
    what: list[What] = ["open"] * len(found.source)
    return _gaps(group, everyone, method, what, (found.source, found.target, found.score, found.confidence),
                 np.full(len(found.source), np.nan), chance)  # fmt: skip


def known_gaps(
    group: Group, question: LinkQuestion, everyone: Everyone, gap_s: Times, longer: float, below: float, method: str = OURS
) -> list[Gap]:
    """Pauses longer than ``longer`` seconds, and jumps: known neighbours whose confidence is under ``below`` times chance.

    everyone: methods that have not seen the links of this group. gap_s: float64 [links], nan unknown. Of two items nothing jumps.
    """
    edges, seconds = question.split.edges.take(group.within), gap_s[group.within]
    place = {item: number for number, item in enumerate(group.items.tolist())}
    source, target = (np.array([place[item] for item in end.tolist()], np.int64) for end in (edges.source, edges.target))
    scores, weights = weighed(everyone.methods[method], group.items, group.items)
    confidence = confidences(weights, source, target)
    chance = _chance(len(group.items))
    pauses = seconds > longer
    jumps = (confidence < below * chance) & (len(group.items) > 2)
    chosen = np.flatnonzero(pauses | jumps)
    what: list[What] = ["pause" if pauses[one] else "jump" for one in chosen]
    pairs = edges.source[chosen], edges.target[chosen], scores[source, target][chosen], confidence[chosen]
    return _gaps(group, everyone, method, what, pairs, seconds[chosen], chance)


def _chance(count: int) -> float:
    """The confidence of a pair of ``count`` items or chains, all alike: one of those with its start, its end, and its reverse."""
    return 1.0 / max(2 * count - 2, 1)


def _gaps(
    group: Group, everyone: Everyone, method: str, what: Sequence[What], pairs: tuple[Ints, Ints, Floats, Reals], gap_s: Times,
    chance: float,
) -> list[Gap]:  # fmt: skip
    source, target, score, confidence = pairs
    probability, abstain = trusted(everyone, source, score)
    ours = method == OURS
    return [
        Gap(
            group.name, what[i], int(source[i]), int(target[i]), None if np.isnan(gap_s[i]) else float(gap_s[i]), float(score[i]),
            float(confidence[i]), chance, float(probability[i]) if ours else None, bool(abstain[i]) if ours else None,
        )
        for i in range(len(source))
    ]  # fmt: skip


def bridging(
    groups: Sequence[Group], question: LinkQuestion, everyone: Everyone, settings: EvaluateSettings
) -> list[Bridging]:
    """Of the test links within groups the share that each method bridges, where train and valid links are known; then chance.

    Chance is any order of the chains: of c chains each of the c (c - 1) pairs is bridged with 1 / c. Nothing without test links.
    """
    split = question.split
    with_test = [one for one in groups if np.isin(one.within, split.test).any()]
    if not with_test:
        return []
    hits = {name: np.zeros(len(with_test)) for name in (*everyone.methods, CHANCE)}
    gaps = np.zeros(len(with_test))
    for row, group in enumerate(with_test):
        asked = np.isin(group.within, split.test)
        known, lost = split.edges.take(group.within[~asked]), split.edges.take(group.within[asked])
        chains = Chains.of(group.items, known.source, known.target)
        true = set(zip(lost.source.tolist(), lost.target.tolist(), strict=True))
        gaps[row], hits[CHANCE][row] = len(true), len(true) / len(chains)
        for name, method in everyone.methods.items():
            found = bridged(method, chains)
            hits[name][row] = len(true & set(zip(found.source.tolist(), found.target.tolist(), strict=True)))
    statistics = [Statistic(np.stack((one, gaps), axis=1)) for one in hits.values()]
    drawn = draws(statistics, settings.bootstrap, question.seed) if settings.bootstrap else np.zeros((len(hits), 0))
    return [_line(name, int(gaps.sum()), one, draw, settings) for name, one, draw in zip(hits, statistics, drawn, strict=True)]


def _line(name: str, n: int, statistic: Statistic, drawn: Reals, settings: EvaluateSettings) -> Bridging:
    low, high = interval(drawn, settings.level) if len(drawn) else (None, None)
    return Bridging(name, n, statistic.value, low, high)
