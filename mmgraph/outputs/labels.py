"""predictions/labels and predictions/confusion.json: the class of every item of a kind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mmgraph.errors import StoreError
from mmgraph.evaluate.contract import OURS, LabelQuestion
from mmgraph.evaluate.rightness import called
from mmgraph.outputs.streamed import streamed
from mmgraph.runs import write_json
from mmgraph.settings import OutputSettings
from mmgraph.types import Bools, Floats, Strings

_LABELS: dict[str, Any] = {
    "id": pa.string(),
    "field": pa.string(),
    "value": pa.string(),
    "probability": pa.float32(),
    "unknown": pa.bool_(),
    "split": pa.string(),
}
LABELS = pa.schema(_LABELS)


@dataclass(frozen=True)
class LabelPrediction:
    """probabilities: float32 [items, classes] of the method that validation chose; ``method`` names it. Rows sum to 1, unless the items
    may have several classes.

    unknown: which classes of these probabilities are not to be relied upon; none when not given.
    """

    question: LabelQuestion
    probabilities: Floats
    method: str = OURS
    unknown: Callable[[Floats], Bools] | None = None


def write_labels(predictions: Sequence[LabelPrediction], folder: Path, settings: OutputSettings) -> None:
    """Write ``labels.parquet|csv`` and ``confusion.json`` into ``folder``.

    Every item of the kind has one row: its likeliest class (of equal ones the first), that class's probability, whether it is too
    improbable to be relied upon (``unknown``), and ``split``: train, valid or test where its label is known, ``unused`` where it is
    known but in none of the three, ``open`` where it is of an open class, else ``unlabelled``. Where an item may have several classes
    there is a row for each that is likelier than not, and for the likeliest in any case.

    Raises StoreError where the probabilities do not fit the items and classes, RunError where the disk is full.
    """
    for one in predictions:
        _check(one)
    with streamed(folder, "labels", LABELS, settings.formats) as write:
        for one in predictions:
            write(_table(one))
    single = [one for one in predictions if one.question.split.labels.several is None]
    write_json(folder / "confusion.json", [confusion(one) for one in single])


def confusion(one: LabelPrediction) -> dict[str, Any]:
    """``{target, method, classes, counts}``: ``counts[i][j]`` test items of class i that were called j."""
    labels, test = one.question.split.labels, one.question.split.test
    size = len(labels.classes)
    counts = np.zeros((size, size), dtype=np.int64)
    if len(test):
        np.add.at(counts, (labels.values[test], one.probabilities[test].argmax(axis=1)), 1)
    return {"target": labels.target, "method": one.method, "classes": list(labels.classes), "counts": counts.tolist()}


def _check(one: LabelPrediction) -> None:
    labels = one.question.split.labels
    wanted = (len(labels.values), len(labels.classes))
    if one.probabilities.shape != wanted:
        raise StoreError(
            f"probabilities of {labels.target} do not fit: {wanted} items and classes",
            given=one.probabilities.shape,
            todo="give one row an item and one column a class",
        )


def _table(one: LabelPrediction) -> pa.Table:
    labels = one.question.split.labels
    item, best = np.arange(len(labels.values)), one.probabilities.argmax(axis=1)
    if labels.several is not None:
        item, best = np.nonzero(called(one.probabilities))
    probability = one.probabilities[item, best].astype(np.float32)
    unknown = np.zeros(len(item), bool) if one.unknown is None else one.unknown(probability)
    columns: list[Any] = [
        pa.array(one.question.graph.ids[labels.kind][item], pa.string()),
        pa.repeat(pa.scalar(labels.field), len(item)),
        pa.array(np.asarray(labels.classes, dtype=object)[best], pa.string()),
        pa.array(probability, pa.float32()),
        pa.array(unknown, pa.bool_()),
        pa.array(_splits(one.question)[item], pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=LABELS)


def _splits(question: LabelQuestion) -> Strings:
    split = question.split
    names = np.where(split.labels.values >= 0, "unused", "unlabelled").astype(object)
    names[split.train], names[split.valid], names[split.test], names[split.open] = "train", "valid", "test", "open"
    return names
