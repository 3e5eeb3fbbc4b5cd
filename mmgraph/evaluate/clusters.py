"""Clusters of one kind's embeddings: found, named, repeated, and compared with labels where there are any."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np

from mmgraph.evaluate.agreement import Agreement, Stability, agreement, stability
from mmgraph.evaluate.baselines.linked import features_for_labels
from mmgraph.evaluate.clustering import Clustering, ClusterQuestion, Clusters
from mmgraph.evaluate.clusterings.kmeans import KMeans
from mmgraph.evaluate.topics import Words, class_tf_idf, top_words
from mmgraph.graph.contract import Graph
from mmgraph.registry import snake
from mmgraph.split.contract import Split
from mmgraph.types import Floats, Ints

WORDS = 8  # of a cluster
NAMED = 3  # of them make its name
CENTRAL = 6  # items
FEATURES, MAJORITY, SHUFFLED = "kmeans on features", "majority", "shuffled"


@dataclass(frozen=True)
class Measured:
    """How a way of grouping agrees with a field of labels on ``n`` items of ``classes`` classes: the first seed's value of a metric,
    and the ``low``est and ``high``est over seeds.
    """

    field: str
    method: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    classes: int


@dataclass(frozen=True)
class Cluster:
    """words: (word, weight), the heaviest first; central: positions of the items nearest to the mean, the nearest first."""

    number: int
    name: str
    size: int
    words: tuple[tuple[str, float], ...]
    central: tuple[int, ...]


@dataclass(frozen=True)
class Outcome:
    """Clusters of the items of one kind. cosine: float32 [items], of each item and the mean of its cluster, NaN in none."""

    kind: str
    method: str
    criterion: str
    found: Clusters
    cosine: Floats
    clusters: tuple[Cluster, ...]
    stable: Stability
    measured: tuple[Measured, ...]
    seeds: tuple[int, ...]


def clustered(
    question: ClusterQuestion, split: Split, method: Clustering, clusters: int | None, words: Words, seeds: Sequence[int]
) -> Outcome:
    """Everything about the clusters of a question: what the first seed finds, and how much other seeds and other items change."""
    found = method.find(question, clusters, seeds[0])
    number = found.count if isinstance(method, KMeans) else clusters
    cosine = cosines(question, found)
    weights = class_tf_idf(words.counts, found.of, found.count)
    named = [tuple(top_words(row, words.names, WORDS)) for row in weights]
    return Outcome(
        question.kind,
        snake(type(method).__name__),
        method.criterion if clusters is None else "given",
        found,
        cosine,
        tuple(_cluster(c, found, cosine, own) for c, own in enumerate(named)),
        stability(method, question, number, seeds),
        tuple(_measured(question, split, method, (found, number), seeds)),
        tuple(seeds),
    )


def cosines(question: ClusterQuestion, found: Clusters) -> Floats:
    """Of each item and the mean of its cluster; NaN in none."""
    means = np.zeros((found.count, question.vectors.shape[1]), np.float32)
    inside = found.of >= 0
    np.add.at(means, found.of[inside], question.vectors[inside])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    cosine = np.full(len(question), np.nan, np.float32)
    cosine[inside] = np.einsum("nw,nw->n", question.vectors[inside], means[found.of[inside]])
    return cosine


def _cluster(number: int, found: Clusters, cosine: Floats, words: tuple[tuple[str, float], ...]) -> Cluster:
    members = np.flatnonzero(found.of == number)
    central = members[np.lexsort((members, -cosine[members]))][:CENTRAL]
    name = ", ".join(word for word, _ in words[:NAMED]) or f"cluster {number + 1}"
    return Cluster(number, name, len(members), words, tuple(central.tolist()))


def raw_question(graph: Graph, kind: str) -> ClusterQuestion | None:
    """The same items by their features alone, each modality standardised and of equal weight; None where there are none.

    A kind without features takes the mean over what it is linked with.
    """
    parts = []
    for one in features_for_labels(graph, kind).values():
        rows = np.asarray(one.vectors, np.float32)
        seen = rows[one.present]
        scale = seen.std(axis=0) * np.sqrt(rows.shape[1])
        standard = np.divide(rows - seen.mean(axis=0), scale, out=np.zeros_like(rows), where=scale > 1e-6)
        parts.append(np.where(one.present[:, None], standard, 0).astype(np.float32))
    return ClusterQuestion.of(graph, kind, np.concatenate(parts, axis=1)) if parts else None


def unseen(split: Split, kind: str) -> Iterator[tuple[str, Ints, Ints, tuple[str, ...]]]:
    """Of each field of the kind: its name, the labelled items that no training and no choice saw, their classes, and all classes."""
    for key, visible in split.visible.labels.items():
        asked = split.labels.get(visible.target)
        values = visible.values if asked is None else asked.labels.values
        known = values >= 0
        if asked is not None:  # of an asked field the visible labels are those of training
            known[asked.train] = known[asked.valid] = False
        items = np.flatnonzero(known)
        if key[0] == kind and len(items):
            yield key[1], items, values[items], visible.classes


def _measured(
    question: ClusterQuestion, split: Split, method: Clustering, chosen: tuple[Clusters, int | None], seeds: Sequence[int]
) -> Iterator[Measured]:
    found, number = chosen
    again = [found, *(method.find(question, number, seed) for seed in seeds[1:] if method.random)]
    groupings: dict[str, list[Ints]] = {snake(type(method).__name__): [one.of for one in again]}
    raw, count = raw_question(question.graph, question.kind), max(found.count, 1)
    if raw is not None:
        groupings[FEATURES] = [KMeans().find(raw, count, seed).of for seed in seeds]
    groupings[SHUFFLED] = [np.random.default_rng(seed).permutation(found.of) for seed in seeds]
    groupings[MAJORITY] = [np.zeros(len(question), np.int64)]
    for field, items, classes, _ in unseen(split, question.kind):
        for name, each in groupings.items():
            values = np.array([astuple(agreement(of[items], classes)) for of in each])
            for metric, column in zip((one.name for one in fields(Agreement)), values.T, strict=True):
                first, low, high = float(column[0]), float(column.min()), float(column.max())
                yield Measured(field, name, metric, first, low, high, len(items), len(np.unique(classes)))
