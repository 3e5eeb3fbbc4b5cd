"""Logistic regression on the features: which partner an item has, told by what it looks, sounds and reads like."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as Model

from mmgraph.evaluate.baselines.choice import best_link_method
from mmgraph.evaluate.baselines.classes import table
from mmgraph.evaluate.baselines.limits import fits_in_memory
from mmgraph.evaluate.baselines.linked import features_for_labels
from mmgraph.evaluate.contract import Direction, LinkBaseline, LinkMethod, LinkQuestion
from mmgraph.graph.contract import Graph
from mmgraph.types import Floats, Ints

_LEAST = -50.0  # log-probability of a partner without a visible link


@dataclass(frozen=True, kw_only=True)
class Logistic(LinkBaseline):
    """Score = log-probability of the partner by a multinomial regression on an item's features, all modalities side by side.

    For relations between two kinds of which one has few items that each have many links (muscles that exercises work): these are the
    classes. A kind without features of its own is described by those of its neighbours over the other visible relations: nothing else
    among the baselines reads vectors where one end has none. most, least: classes at most, and visible links of each in the mean at
    least; strengths: of the inverse L2 penalty (scikit-learn's C), validation chooses; iterations: of L-BFGS.
    """

    most: int = 200
    least: float = 5.0
    strengths: Sequence[float] = (0.01, 0.1, 1.0)
    iterations: int = 100

    def fit(self, question: LinkQuestion) -> list[LinkMethod]:
        """Fit on the visible links; none where no side is small, where the other has no features, and above 4 GiB."""
        relation, visible = question.relation, question.visible
        if relation.source == relation.target or not len(visible):
            return []
        for direction, kind, items, partners in (
            ("target", relation.source, visible.source, visible.target),
            ("source", relation.target, visible.target, visible.source),
        ):
            asked: Direction = "target" if direction == "target" else "source"
            classes = len(np.unique(partners))
            if not 2 <= classes <= self.most or len(partners) < self.least * classes:
                continue
            known = [f for f in features_for_labels(_without(question), kind).values() if f.present[items].any()]
            if known and fits_in_memory("logistic", 3 * 8 * sum(one.vectors.size for one in known)):
                columns = table(known)
                fitted = (self._fitted(question, asked, columns, (items, partners), c) for c in self.strengths)
                return [best_link_method(question, fitted, default=len(self.strengths) // 2)]
        return []

    def _fitted(
        self, question: LinkQuestion, direction: Direction, columns: Floats, links: tuple[Ints, Ints], strength: float
    ) -> LinkMethod:
        items, partners = links
        model = Model(C=strength, max_iter=self.iterations)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the weakest penalties may not end; validation judges them
            model.fit(columns[items], partners)
        rows = np.full((len(columns), question.count(direction)), _LEAST, np.float32)
        rows[:, model.classes_] = np.maximum(model.predict_log_proba(columns), _LEAST)
        return _Logistic(rows, direction)


class _Logistic(LinkMethod):
    name = "logistic"

    def __init__(self, rows: Floats, direction: Direction) -> None:
        self._rows, self._direction = rows, direction

    def scores(self, queries: Ints, direction: Direction) -> Floats:
        """float32 [len(queries), candidates]: one table, read by rows or by columns."""
        return self._rows[queries] if direction == self._direction else np.ascontiguousarray(self._rows[:, queries].T)


def _without(question: LinkQuestion) -> Graph:
    """The visible graph without the asked relation: a link describes no item with the partner that it is to tell."""
    return question.graph.with_edges({r: e for r, e in question.graph.edges.items() if r != question.relation})
