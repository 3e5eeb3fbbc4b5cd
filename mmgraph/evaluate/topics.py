"""What a cluster is about, in words: class-based TF-IDF over the texts of its items, or of what they are linked with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.feature_extraction.text import CountVectorizer

from mmgraph.evaluate.baselines.union import Union
from mmgraph.graph.contract import Graph
from mmgraph.types import Floats, Ints, Strings

HOPS = 2  # a segment's words may stand in the text beside its video
_WORD = r"(?u)\b[^\W\d_]{2,}\b"  # letters of any script


@dataclass(frozen=True)
class Words:
    """``counts``: scipy CSR float32 [items, words]; an item's own words, else the mean over what it is linked with; ``names`` [words].

    hops: int64 [items], over how many links its words were found, -1 without any.
    """

    counts: Any
    names: Strings
    hops: Ints


def words_of(graph: Graph, kind: str, texts: Mapping[str, Sequence[str | None]]) -> Words:
    """texts: kind -> the text of each item, None without; English stop words are left out, those of other languages weigh little."""
    every = [text or "" for one in graph.ids for text in texts.get(one, [None] * graph.count(one))]
    vectorizer = CountVectorizer(stop_words="english", token_pattern=_WORD, dtype=np.float32)
    try:
        counts = vectorizer.fit_transform(every).tocsr()
    except ValueError:  # no text has a word
        empty = scipy.sparse.csr_matrix((graph.count(kind), 0), dtype=np.float32)
        return Words(empty, np.empty(0, object), np.full(graph.count(kind), -1))
    union = Union.of(graph)
    hops = np.where(np.diff(counts.indptr) > 0, 0, -1)
    for hop in range(1, HOPS + 1):
        counts, hops = _borrowed(union, counts, hops, hop)
    items = union.nodes(kind)
    return Words(counts[items], vectorizer.get_feature_names_out(), hops[items])


def _borrowed(union: Union, counts: Any, hops: Ints, hop: int) -> tuple[Any, Ints]:
    """Nodes without words take the mean over their neighbours that have some."""
    having = scipy.sparse.diags((hops >= 0).astype(np.float32))
    links = (union.adjacency @ having).tocsr()
    number = np.asarray(links.sum(axis=1)).ravel()
    mean = scipy.sparse.diags(1.0 / np.maximum(number, 1)) @ (links @ counts)
    taken = (hops < 0) & (number > 0)
    filled = scipy.sparse.diags((~taken).astype(np.float32)) @ counts + scipy.sparse.diags(taken.astype(np.float32)) @ mean
    return filled.tocsr(), np.where(taken, hop, hops)


def class_tf_idf(counts: Any, of: Ints, clusters: int) -> Floats:
    """Weight of every word in every cluster, float32 [clusters, words]; ``counts`` [items, words], ``of`` int64 [items], -1 in none.

    tf * log(1 + A / f): how often a word is in the cluster, the mean number of words of a cluster, and how often it is in all of them
    (Grootendorst 2022, BERTopic, arXiv 2203.05794, section 3.3).

    >>> class_tf_idf(np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), np.array([0, 1, 1]), 2).round(3)
    array([[1.386, 0.   ],
           [0.   , 1.386]], dtype=float32)
    """
    rows = np.flatnonzero(of >= 0)
    member = scipy.sparse.csr_matrix((np.ones(len(rows), np.float32), (of[rows], rows)), shape=(clusters, len(of)))
    total = member @ counts
    tf = np.asarray(total.todense() if scipy.sparse.issparse(total) else total, np.float64)
    often = tf.sum(axis=0)
    mean = tf.sum() / max(clusters, 1)
    return (tf * np.log1p(mean / np.maximum(often, 1e-12))).astype(np.float32)


def top_words(weights: Floats, names: Strings, number: int) -> list[tuple[str, float]]:
    """The words of one cluster that weigh most, of equal ones in the order of the alphabet.

    >>> top_words(np.array([0.0, 2.0, 2.0], np.float32), np.array(["c", "b", "a"]), 3)
    [('a', 2.0), ('b', 2.0)]
    """
    order = np.lexsort((names, -weights))[:number]
    return [(str(names[i]), float(weights[i])) for i in order if weights[i] > 0]
