"""The least sure items, spread out."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.cluster import KMeans

from mmgraph.errors import SettingsError
from mmgraph.evaluate.asking import AskQuestion, Reals, Strategy
from mmgraph.evaluate.baselines.vectors import unit_rows
from mmgraph.types import Ints


@dataclass(frozen=True, kw_only=True)
class Uncertain(Strategy):
    """Of the ``beta`` * n items of the largest uncertainty n that are spread out: k-means of their vectors, each weighing as much as it is
    uncertain, and of each cluster the item nearest to its mean (Zhdanov 2019, Diverse mini-batch active learning, arXiv 1901.05954,
    section 3). beta 1: the uncertain ones alone.

    by: the ``margin`` of the two likeliest classes, or the ``entropy`` of all.
    """

    beta: float = 4.0
    by: Literal["margin", "entropy"] = "margin"

    def _pick(self, question: AskQuestion, n: int, seed: int) -> Ints:
        if self.beta < 1:
            raise SettingsError("Uncertain.beta is how many times n are looked at", given=self.beta, todo="give at least 1")
        uncertainty = question.uncertainty if self.by == "margin" else entropy(question)
        order = np.argsort(-uncertainty, kind="stable")
        some = order[: max(n, round(self.beta * n))]
        if len(some) == n:
            return some
        vectors = unit_rows(question.vectors[some])
        clusters = min(n, len(np.unique(vectors, axis=0)))
        weights = np.maximum(uncertainty[some], 1e-9)
        means = KMeans(clusters, n_init=4, random_state=seed).fit(vectors, sample_weight=weights)
        apart = ((vectors - means.cluster_centers_[means.labels_]) ** 2).sum(axis=1)
        by_cluster = np.lexsort((np.arange(len(some)), apart, means.labels_))
        _, first = np.unique(means.labels_[by_cluster], return_index=True)
        nearest = np.sort(by_cluster[first])  # the least sure first
        rest = np.setdiff1d(np.arange(len(some)), nearest)[: n - len(nearest)]
        return some[np.concatenate((nearest, rest))]


def entropy(question: AskQuestion) -> Reals:
    """Of each item's classes, in nats; of several classes the sum over them."""
    p = np.clip(question.probabilities.astype(np.float64), 1e-12, 1.0)
    each = -p * np.log(p)
    if question.several:
        q = np.clip(1.0 - p, 1e-12, 1.0)
        each -= q * np.log(q)
    return np.asarray(each.sum(axis=1))
