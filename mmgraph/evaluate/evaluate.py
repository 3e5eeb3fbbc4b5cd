"""Every method on the same held-out links or labels -> rows of metrics.json with intervals, and the verdict.

The only place where the test split is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mmgraph import registry
from mmgraph.evaluate.bootstrap import Statistic, draws, grouped, interval, ratio
from mmgraph.evaluate.contract import (
    SAME_PARENT,
    LabelBaseline,
    LabelQuestion,
    LinkBaseline,
    LinkMethod,
    LinkQuestion,
    Row,
    TaskName,
)
from mmgraph.evaluate.effects import MAIN, Measurement
from mmgraph.evaluate.metrics import LINK_METRICS, ece_of_sums, ece_sums, f1_of_sums, f1_sums
from mmgraph.evaluate.ranking import Ranks, cells_of, ranks
from mmgraph.evaluate.ratings.contract import RatingBaseline
from mmgraph.evaluate.rightness import figure
from mmgraph.evaluate.several import MAP, measured_map, several_statistics
from mmgraph.evaluate.verdict import Compared, Verdict, verdict
from mmgraph.progress import Bar
from mmgraph.settings import EvaluateSettings
from mmgraph.types import Floats, Ints

Names = Sequence[str] | Literal["all"]
Group = Literal["link", "label", "recommend", "rating"]
CONTRACTS: Mapping[Group, type] = {
    "link": LinkBaseline,
    "recommend": LinkBaseline,
    "label": LabelBaseline,
    "rating": RatingBaseline,
}
Measured = dict[tuple[str, str], tuple[Statistic, int]]
"""(method, metric) -> the metric, and how many queries or items it is of."""


@dataclass(frozen=True)
class Ranked:
    """What one method gave the test links at positions ``edges``: ``asked``, in each of the question's directions."""

    method: str
    question: LinkQuestion
    edges: Ints
    asked: tuple[Ranks, ...]


def fit_link_baselines(question: LinkQuestion, names: Names = "all") -> list[LinkMethod]:
    """Every link baseline that applies, fitted; ``names`` picks, and may name label baselines too.

    Raises SettingsError for an unknown name.
    """
    chosen = baseline_names(names, "link")
    baselines: list[LinkBaseline] = [registry.create("link baseline", name) for name in chosen]
    return [method for baseline in baselines for method in baseline.fit(question)]


def fit_label_baselines(question: LabelQuestion, names: Names = "all") -> dict[str, Floats]:
    """Name -> probabilities [items, classes] of every label baseline that applies; ``names`` as above.

    Raises SettingsError for an unknown name.
    """
    chosen = baseline_names(names, "label")
    baselines: list[LabelBaseline] = [registry.create("label baseline", name) for name in chosen]
    if question.split.labels.several is not None:
        baselines = [one for one in baselines if one.several]
    return {name: made for baseline in baselines for name, made in baseline.fit(question).items()}


def fit_recommend_baselines(question: LinkQuestion, names: Names = "all") -> list[LinkMethod]:
    """Every link baseline that applies, and those that are for recommendations alone; otherwise as ``fit_link_baselines``."""
    known = {_plain(name) for name in registry.discover("recommend baseline")}
    chosen = [
        name for name in baseline_names(names, "recommend") if _plain(name) in known
    ]  # others are refused as link baselines
    own: list[LinkBaseline] = [registry.create("recommend baseline", name) for name in chosen]
    return [*fit_link_baselines(question, names), *(method for baseline in own for method in baseline.fit(question))]


def baseline_names(names: Names, task: Group) -> list[str]:
    """Of the names in the settings, which may mix all groups, those of one group; an unknown name stays, to be refused.

    A dotted path is of the group whose contract its class has.

    >>> baseline_names(("majority", "popularity"), "link")
    ['popularity']
    """
    own = registry.discover(f"{task} baseline")
    if names == "all":
        return list(own)
    other = {_plain(name) for group in set(CONTRACTS) - {task} for name in registry.discover(f"{group} baseline")}
    contracts = tuple({*CONTRACTS.values()} - {CONTRACTS[task]})
    return [name for name in names if _plain(name) not in other and not ("." in name and _is_a(name, contracts, task))]


def _is_a(name: str, contracts: tuple[type, ...], task: str) -> bool:
    return issubclass(registry.find(f"{task} baseline", name).load(), contracts)


def evaluate_links(
    question: LinkQuestion,
    methods: Sequence[LinkMethod],
    settings: EvaluateSettings,
    ranked: list[Ranked] | None = None,
    tested: list[Measurement] | None = None,
) -> tuple[list[Row], Verdict]:
    """Rank validation and test links by every method, in both directions; those of the test links are added to ``ranked``, and their main
    metrics to ``tested``.

    Rows: mrr, mr, hits@1, hits@3, hits@10, ndcg@10, auc, amri over both directions together, mrr/target and mrr/source. Of a temporal
    relation within one kind all of the first once more, as ``mrr/same_parent``: among the items of the query's parent, of links
    between two of one parent. An interval resamples edges, each with both its directions. A split without links gives no rows.
    """
    group = question.group
    target, rows = question.name, list[Row]()
    compared: dict[str, Compared] = {}
    held_out = {"valid": question.split.valid, "test": question.split.test}
    sided, cells = len(question.directions), cells_of(settings.memory_mb)
    with Bar(f"ranking {target}", sum(map(len, held_out.values())) * sided * len(methods), "queries") as bar:
        for split, edges in held_out.items():
            if not len(edges):
                continue
            measured: Measured = {}
            for method in methods:
                asked = []
                for direction in question.directions:
                    asked.append(ranks(method, question, edges, direction, settings.block, group=group, cells=cells))
                    bar.advance(len(edges))
                measured |= _link_statistics(method.name, question, edges, asked)
                if split == "test" and ranked is not None:
                    ranked.append(Ranked(method.name, question, edges, tuple(asked)))
            made, drawn = rows_of("links", target, split, measured, settings, question.seed)
            rows += made
            if split == "test":
                compared = compared_by("mrr", measured, drawn)
                _keep(tested, "links", target, measured)
    return rows, verdict("links", target, "mrr", compared, sided * len(question.split.test), settings.level)


def evaluate_labels(
    question: LabelQuestion,
    predictions: Mapping[str, Floats],
    settings: EvaluateSettings,
    tested: list[Measurement] | None = None,
) -> tuple[list[Row], Verdict]:
    """Accuracy, macro-F1 and calibration error (ece) of every prediction [items, classes] on validation and test items; of a field whose
    items may have several values what ``several_statistics`` has, and the mean average precision (map).

    An interval resamples groups where items have parents (the segments of one video are no independent witnesses), else items.
    ``tested`` gets the main metrics on the test items.
    """
    labels, rows = question.split.labels, list[Row]()
    compared: dict[str, Compared] = {}
    for split, items in (("valid", question.split.valid), ("test", question.split.test)):
        if not len(items):
            continue
        groups = groups_of(question, items)
        measured: Measured = {}
        for name, probabilities in predictions.items():
            if labels.several is None:
                statistics = _label_statistics(probabilities[items], labels.values[items], groups)
            else:
                statistics = several_statistics(probabilities[items], labels.several[items], groups)
            measured |= {(name, metric): (one, len(items)) for metric, one in statistics.items()}
        made, drawn = rows_of("categories", labels.target, split, measured, settings, question.seed)
        rows += made
        if labels.several is not None:
            some = {name: probabilities[items] for name, probabilities in predictions.items()}
            found = measured_map(some, labels.several[items], groups, settings, question.seed)
            rows += [
                Row("categories", labels.target, split, name, MAP, value, low, high, len(items))
                for name, value, low, high in found
            ]
        if split == "test":
            compared = compared_by(figure(labels), measured, drawn)
            _keep(tested, "categories", labels.target, measured)
    return rows, verdict("categories", labels.target, figure(labels), compared, len(question.split.test), settings.level)


def groups_of(question: LabelQuestion, items: Ints) -> Ints:
    """A number for the group of each item: its parent where it has one, else itself."""
    parent = question.graph.parent.get(question.split.labels.kind)
    if parent is None or not (parent >= 0).any():
        return items.copy()
    return np.where(parent[items] >= 0, parent[items], parent.max() + 1 + items).astype(np.int64)


def _link_statistics(name: str, question: LinkQuestion, edges: Ints, asked: Sequence[Ranks]) -> Measured:
    """All metrics of a method on the edges, asked once in each direction; a unit is an edge with both its directions."""
    rank, candidates = (np.concatenate([one[column] for one in asked]) for column in (0, 1))
    units = np.tile(question.units(edges), len(asked))
    to_target = np.concatenate([question.asks_target(edges, direction) for direction in question.directions])
    out: Measured = {}
    for metric, per_query in LINK_METRICS.items():
        sums = np.stack(per_query(rank, candidates), axis=1)
        out[name, metric] = Statistic(grouped(sums, units)), len(sums)
        if metric == "mrr":
            for direction, those in (("target", to_target), ("source", ~to_target)):
                out[name, f"mrr/{direction}"] = Statistic(grouped(sums * those[:, None], units)), int(those.sum())
    return out | _near_statistics(name, asked, units)


def _near_statistics(name: str, asked: Sequence[Ranks], units: Ints) -> Measured:
    """The same metrics among the items of one parent; nothing without links between two of one parent."""
    rank, candidates = (np.concatenate([getattr(one, column) for one in asked]) for column in ("near_rank", "near_candidates"))
    there = candidates > 0
    out: Measured = {}
    for metric, per_query in LINK_METRICS.items() if there.any() else ():
        sums = np.stack(per_query(np.where(there, rank, 1.0), candidates), axis=1) * there[:, None]
        out[name, metric + SAME_PARENT] = Statistic(grouped(sums, units)), int(there.sum())
    return out


def _label_statistics(probabilities: Floats, truth: Ints, groups: Ints) -> dict[str, Statistic]:
    correct = np.stack((probabilities.argmax(1) == truth, np.ones(len(truth))), axis=1).astype(np.float64)
    return {
        "accuracy": Statistic(grouped(correct, groups), ratio),
        "macro_f1": Statistic(grouped(f1_sums(probabilities, truth), groups), f1_of_sums),
        "ece": Statistic(grouped(ece_sums(probabilities, truth), groups), ece_of_sums),
    }


def rows_of(
    task: TaskName,
    target: str,
    split: str,
    measured: Measured,
    settings: EvaluateSettings,
    seed: int,
    group: str = "",
) -> tuple[list[Row], npt.NDArray[np.float64]]:
    """Rows, and the draws [metrics, resamples] in the order of ``measured``; without resamples there are no intervals."""
    drawn = np.zeros((len(measured), 0))
    if settings.bootstrap > 0 and measured:
        drawn = draws([one for one, _ in measured.values()], settings.bootstrap, seed)
    rows = []
    for ((method, metric), (one, n)), draw in zip(measured.items(), drawn, strict=True):
        low, high = interval(draw, settings.level) if len(draw) else (None, None)
        rows.append(Row(task, target, split, method, metric, one.value, low, high, n, group))
    return rows, drawn


def _keep(tested: list[Measurement] | None, task: Literal["links", "categories"], target: str, measured: Measured) -> None:
    if tested is not None:
        some = (one for one in measured.items() if one[0][1] in MAIN)
        tested += [Measurement(task, target, method, metric, one, n) for (method, metric), (one, n) in some]


def compared_by(metric: str, measured: Measured, drawn: npt.NDArray[np.float64]) -> dict[str, Compared]:
    """Value and draws of one metric, by method; ``drawn``: as ``rows_of`` gives them."""
    found = ((key, one, draw) for (key, (one, _)), draw in zip(measured.items(), drawn, strict=True))
    return {method: Compared(one.value, draw, len(one.sums)) for (method, name), one, draw in found if name == metric}


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
