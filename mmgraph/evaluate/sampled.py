"""AUC and AP among held-out links and as many sampled pairs that are no known link, as link prediction on plain graphs reports
them (Kipf & Welling 2016, arXiv 1611.07308, section 3).

Their names carry ``sampled``: most sampled pairs are easy, so that these numbers are high where a full ranking still finds many
unlinked pairs above the true ones, and they compare scores of different queries with each other. In a full ranking each
query has one truth, whose average precision is its reciprocal rank: there ``mrr`` is the mean AP, and ``auc`` its full AUC.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mmgraph.evaluate.bootstrap import counts, interval
from mmgraph.evaluate.contract import LinkMethod, LinkQuestion, Row
from mmgraph.evaluate.evaluate import Ranked
from mmgraph.evaluate.ranking import CELLS, cells_of, checked, rows_at_once
from mmgraph.graph.merge import among, pair_keys
from mmgraph.settings import EvaluateSettings
from mmgraph.types import Bools, Floats, Ints

Reals = npt.NDArray[np.float64]
METRICS = ("auc/sampled", "ap/sampled")
_CELLS = 2**20  # weights held at once
_ROUNDS = 64  # of drawing again what turned out to be known: only where nearly every pair is a link some are never found


def sampled_rows(methods: Sequence[LinkMethod], ranked: Sequence[Ranked], settings: EvaluateSettings) -> list[Row]:
    """``auc/sampled`` and ``ap/sampled`` on at most ``evaluate.sampled`` test links (a random sample of more), each with one
    uniformly drawn pair of the same relation that is no known link. The pairs depend on the seed alone: they are the same for
    every method.

    ``ranked``: what each of ``methods`` gave the same test links; scores are those of asking for the target. An interval draws
    links again, and pairs by themselves. No rows where nothing is unlinked, or nothing is to be sampled.
    """
    if not ranked or not settings.sampled:
        return []
    question, edges = ranked[0].question, ranked[0].edges
    generator = np.random.default_rng([question.seed, 0x5A41])
    forward = np.flatnonzero(question.asks_target(edges, "target"))
    chosen = np.sort(generator.permutation(forward)[: settings.sampled])
    query, answer = unlinked(question, edges[chosen], generator)
    if not len(query):
        return []
    rows = []
    for method, one in zip(methods, ranked, strict=True):
        assert method.name == one.method
        positive = one.asked[0].score[chosen]
        negative = pair_scores(method, question, query, answer, settings.block, cells_of(settings.memory_mb))
        values, drawn = _measured(positive, negative, settings.bootstrap, question.seed)
        for metric, value, draw in zip(METRICS, values, drawn, strict=True):
            low, high = interval(draw, settings.level) if len(draw) else (None, None)
            rows.append(Row("links", question.name, "test", method.name, metric, float(value), low, high, len(chosen)))
    return rows


def unlinked(question: LinkQuestion, edges: Ints, generator: np.random.Generator) -> tuple[Ints, Ints]:
    """(queries, answers) of different pairs, one for each edge at these positions and of its relation, uniform among those that
    are no known link of any split and do not join an item with itself. Fewer where nearly all pairs are links.
    """
    every, relation = question.split.edges, question.asks[0]
    sources, targets = question.graph.count(relation.source), question.graph.count(relation.target)
    known = pair_keys(every.source, every.target, targets)
    start = question.ends(edges)[0] * sources  # a question of several relations asks from (relation, item)
    found = np.full(len(edges), -1, np.int64)
    for _ in range(_ROUNDS):
        open_ = np.flatnonzero(found < 0)
        if not len(open_):
            break
        source, target = generator.integers(sources, size=len(open_)), generator.integers(targets, size=len(open_))
        drawn = pair_keys(start[open_] + source, target, targets)
        new = ~among(drawn, known) & ~among(drawn, found) & _firsts(drawn)
        if relation.source == relation.target:
            new &= source != target
        found[open_[new]] = drawn[new]
    found = found[found >= 0]
    return found // targets, found % targets


def _firsts(numbers: Ints) -> Bools:
    first = np.zeros(len(numbers), bool)
    first[np.unique(numbers, return_index=True)[1]] = True
    return first


def pair_scores(
    method: LinkMethod, question: LinkQuestion, query: Ints, answer: Ints, block: int, cells: int = CELLS
) -> Floats:
    """float32 [pairs]: of each query's one answer, asked for its target, block by block."""
    candidates = question.count("target")
    order, size = np.argsort(query, kind="stable"), rows_at_once(block, candidates, cells)
    out = np.zeros(len(query), np.float32)
    for start in range(0, len(order), size):
        part = order[start : start + size]
        asked, row = np.unique(query[part], return_inverse=True)
        out[part] = checked(method, asked, "target", candidates)[row, answer[part]]
    return out


def auc_ap(positive: Floats, negative: Floats, links: Reals, pairs: Reals) -> tuple[Reals, Reals]:
    """Area under the ROC curve and average precision, float64 [draws], of scores that count ``links`` [draws, positives] and
    ``pairs`` [draws, negatives] times; what is tied has one threshold (the definitions of scikit-learn's ``roc_auc_score``
    and ``average_precision_score``).

    >>> auc_ap(np.array([3.0, 1.0], np.float32), np.array([2.0, 1.0], np.float32), np.ones((1, 2)), np.ones((1, 2)))
    (array([0.625]), array([0.75]))
    """
    scores = np.concatenate([positive, negative])
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # where each threshold ends
    true = np.concatenate([links, np.zeros_like(pairs)], axis=1)[:, order].cumsum(1)[:, last]
    false = np.concatenate([np.zeros_like(links), pairs], axis=1)[:, order].cumsum(1)[:, last]
    precision = true / np.maximum(true + false, 1e-9)
    more_true, more_false = np.diff(true, axis=1, prepend=0.0), np.diff(false, axis=1, prepend=0.0)
    area = (more_false * (true - more_true / 2.0)).sum(1)
    return area / (true[:, -1] * false[:, -1]), (more_true * precision).sum(1) / true[:, -1]


def _measured(positive: Floats, negative: Floats, resamples: int, seed: int) -> tuple[Reals, Reals]:
    """Both metrics [2], and their draws [2, resamples]."""
    (value,) = np.stack(auc_ap(positive, negative, np.ones((1, len(positive))), np.ones((1, len(negative)))), axis=1)
    size = max(1, _CELLS // (len(positive) + len(negative)))
    both = zip(counts(len(positive), resamples, seed, size), counts(len(negative), resamples, seed + 1, size), strict=True)
    drawn = [np.stack(auc_ap(positive, negative, *pair)) for pair in both]
    return value, np.concatenate([np.zeros((2, 0)), *drawn], axis=1)
