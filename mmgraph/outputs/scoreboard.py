"""metrics.json by target: methods beside each other, the main metric first, the best baseline known."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mmgraph.evaluate.contract import OURS, SAME_PARENT, Row

NETWORK = "gnn"
ORDER = (
    "mrr",
    "hits@1",
    "hits@3",
    "hits@10",
    "ndcg@10",
    "auc",
    "auc/sampled",
    "ap/sampled",
    "amri",
    "mr",
    "rmse",
    "mae",
    "r2",
    "slope",
    "coverage@90%",
    "accuracy",
    "lrap",
    "map",
    "micro_f1",
    "macro_f1",
    "subset_accuracy",
    "ece",
    "auroc/open",
)
OF_LISTS = (
    "recall",
    "ndcg",
    "precision",
    "hr",
    "mrr",
    "map",
    "coverage",
    "novelty",
    "arp",
    "gini",
)  # before the length of a list
LOWER = frozenset({"mr", "ece", "arp", "gini", "rmse", "mae"})  # the smaller, the better
AIMED = {"slope": 1.0, "coverage@90%": 0.9}  # the nearer to this, the better
NAMES = {
    "mrr": "MRR",
    "hits@1": "Hits@1",
    "hits@3": "Hits@3",
    "hits@10": "Hits@10",
    "ndcg@10": "NDCG@10",
    "auc": "AUC",
    "auc/sampled": "AUC (sampled)",
    "ap/sampled": "AP (sampled)",
    "amri": "AMRI",
    "mr": "Mean rank",
    "accuracy": "Accuracy",
    "lrap": "Label ranking precision",
    "map": "Mean average precision",
    "micro_f1": "Micro-F1",
    "macro_f1": "Macro-F1",
    "subset_accuracy": "Subset accuracy",
    "ece": "Calibration error",
    "auroc/open": "AUROC (open classes)",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "slope": "Slope",
    "coverage@90%": "In the 90% interval",
}
LISTS = {
    "ndcg": "NDCG",
    "recall": "Recall",
    "precision": "Precision",
    "hr": "Hit rate",
    "mrr": "MRR",
    "map": "MAP",
    "coverage": "Coverage",
    "novelty": "Novelty (bits)",
    "arp": "Mean popularity",
    "gini": "Gini",
}  # before the length of a list
_AMONG = {SAME_PARENT: ", among the items of the same parent"}


@dataclass(frozen=True)
class Board:
    """One target on one split. metrics: the main one first; methods: ours, the network, then baselines, best first. suffix: what ends
    the names of its metrics in metrics.json, where the candidates were not all items.
    """

    task: str
    target: str
    split: str
    metrics: tuple[str, ...]
    methods: tuple[str, ...]
    cells: Mapping[tuple[str, str], Row]
    suffix: str = ""

    @property
    def title(self) -> str:
        """The target, and among what was ranked where that is not everything."""
        return self.target + _AMONG.get(self.suffix, "")

    @property
    def main(self) -> str:
        """The metric that orders the methods."""
        return self.metrics[0]

    @property
    def shown(self) -> tuple[str, ...]:
        """The metrics of a table: without those of one direction or class (``mrr/target``), unless there is nothing else; of lists those of
        the main metric's length.
        """
        if self.task == "recommend":
            return tuple(metric for metric in self.metrics if metric.partition("@")[2] == self.main.partition("@")[2])
        return tuple(metric for metric in self.metrics if "/" not in metric or metric in ORDER) or self.metrics

    @property
    def best_baseline(self) -> str | None:
        """The best method, by the main metric, that is neither ours nor the network."""
        return next((method for method in self.methods if method not in (OURS, NETWORK)), None)

    def is_best(self, method: str, metric: str) -> bool:
        """Whether no method has a better number; several may be equal."""
        costs = [_cost(self.cells.get((other, metric))) for other in self.methods]
        return _cost(self.cells.get((method, metric))) == min(costs) < math.inf


def boards(rows: Sequence[Row], split: str = "test", main: Mapping[str, str] | None = None) -> list[Board]:
    """One board a target of this split, in the order of ``rows``, and one more where it was also ranked among the items of one parent;
    ``main``: target -> metric that orders its methods.

    Rows of a group of queries are left out, and those whose value is not finite.
    """
    found: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in rows:
        if row.split == split and not row.group and math.isfinite(row.value):
            suffix = SAME_PARENT if row.metric.endswith(SAME_PARENT) else ""
            plain = replace(row, metric=row.metric.removesuffix(suffix))
            found.setdefault((row.task, row.target), {}).setdefault(suffix, []).append(plain)
    return [
        _board(*named, split, mine, (main or {}).get(named[1]), suffix)
        for named, each in found.items()
        for suffix, mine in sorted(each.items())
    ]


def _board(task: str, target: str, split: str, rows: list[Row], main: str | None, suffix: str) -> Board:
    cells = {(row.method, row.metric): row for row in rows}
    named = dict.fromkeys(row.metric for row in rows)
    ordered_ = _of_lists(named) if task == "recommend" else sorted(named, key=_place)
    metrics = sorted(ordered_, key=lambda metric: metric != main)
    methods = dict.fromkeys(row.method for row in rows)
    ordered = sorted(methods, key=lambda m: (m != OURS, m != NETWORK, _cost(cells.get((m, metrics[0])))))
    return Board(task, target, split, tuple(metrics), tuple(ordered), cells, suffix)


def _place(metric: str) -> int:
    return ORDER.index(metric) if metric in ORDER else len(ORDER)


def _of_lists(metrics: Iterable[str]) -> list[str]:
    """Metrics of recommended lists, those of the length that chose first (what is of all lists together is measured of it alone)."""
    parts = [(*metric.partition("@")[::2], metric) for metric in metrics]
    chosen = {length for name, length, _ in parts if name == "coverage"}
    known = [*LISTS, *sorted({name for name, _, _ in parts} - set(LISTS))]
    return [m for _, _, _, m in sorted((n not in chosen, int(n or 0), known.index(name), m) for name, n, m in parts)]


def title_of(metric: str) -> str:
    """What a metric is called in a table.

    >>> title_of("mrr"), title_of("ndcg@20"), title_of("recall@5"), title_of("mrr/target")
    ('MRR', 'NDCG@20', 'Recall@5', 'mrr/target')
    """
    name, at, length = metric.partition("@")
    return NAMES.get(metric) or (f"{LISTS[name]}@{length}" if at and name in LISTS else metric)


def lower_is_better(metric: str) -> bool:
    """Whether the smaller number is the better one.

    >>> lower_is_better("gini@20"), lower_is_better("recall@20")
    (True, False)
    """
    return metric.partition("@")[0] in LOWER


def _cost(row: Row | None) -> float:
    if row is None:
        return math.inf
    if row.metric in AIMED:
        return abs(row.value - AIMED[row.metric])
    return row.value if lower_is_better(row.metric) else -row.value
