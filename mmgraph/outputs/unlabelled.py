"""predictions/unlabelled: what a run says of the items that nobody has labelled, and what they are like."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mmgraph.evaluate.contract import LabelQuestion
from mmgraph.evaluate.examples import nearest_examples
from mmgraph.evaluate.labels_again import Labelled
from mmgraph.evaluate.rightness import called
from mmgraph.outputs.streamed import Format, streamed
from mmgraph.split.unlabelled import unlabelled
from mmgraph.types import Ints, Strings

NEAR = 3  # examples of each item
_BLOCK = 65_536  # items at once
_COLUMNS: dict[str, Any] = {
    "id": pa.string(),
    "field": pa.string(),
    "value": pa.string(),
    "probability": pa.float32(),
    "unknown": pa.bool_(),
}
for _place in range(1, NEAR + 1):
    _COLUMNS |= {f"near_{_place}": pa.string(), f"value_{_place}": pa.string(), f"distance_{_place}": pa.float32()}
UNLABELLED = pa.schema(_COLUMNS)


def write_unlabelled(every: Sequence[Labelled], folder: Path, stem: str, formats: Sequence[Format]) -> None:
    """Write ``stem.parquet|csv|json``: of each field a row for every unlabelled item, or for each value that it is said to have.

    near_1 to near_3: the nearest items with a label, whether it was used or not, by the vectors that the classes are read from;
    their values, several with commas between; distance: 1 - cosine. Raises RunError where the disk is full.
    """
    with streamed(folder, stem, UNLABELLED, formats) as write:
        for one in every:
            items = unlabelled(one.answer.question.split)
            for start in range(0, len(items), _BLOCK):
                write(_table(one, items[start : start + _BLOCK]))


def _table(one: Labelled, items: Ints) -> pa.Table:
    question = one.answer.question
    labels = question.split.labels
    probabilities = one.answer.probabilities[items]
    row, value = np.arange(len(items)), probabilities.argmax(axis=1)
    if labels.several is not None:
        row, value = np.nonzero(called(probabilities))
    probability = probabilities[row, value].astype(np.float32)
    columns: list[Any] = [
        pa.array(question.graph.ids[labels.kind][items[row]], pa.string()),
        pa.repeat(pa.scalar(labels.field), len(row)),
        pa.array(np.asarray(labels.classes, dtype=object)[value], pa.string()),
        pa.array(probability, pa.float32()),
        pa.array(one.answer.trust.unknown(probability), pa.bool_()),
    ]
    examples = np.flatnonzero(labels.values >= 0)
    found = nearest_examples(one.vectors[items], one.vectors[examples], NEAR)
    for place in range(NEAR):
        near, distance = found.example[row, place], found.distance[row, place]
        none = near < 0
        some = examples[near] if len(examples) else near
        columns += [
            pa.array(_named(question, some), pa.string(), mask=none),
            pa.array(_values(question, some), pa.string(), mask=none),
            pa.array(distance, pa.float32(), mask=none),
        ]
    return pa.Table.from_arrays(columns, schema=UNLABELLED)


def _named(question: LabelQuestion, items: Ints) -> Strings:
    names = np.asarray(question.graph.ids[question.split.labels.kind], dtype=object)
    return names[items]


def _values(question: LabelQuestion, items: Ints) -> Strings:
    """What is known of each of the items."""
    labels = question.split.labels
    classes = np.asarray(labels.classes, dtype=object)
    if labels.several is None:
        return classes[labels.values[items]]
    several = [", ".join(classes[one]) for one in labels.has(items)]
    return np.array(several, dtype=object)
