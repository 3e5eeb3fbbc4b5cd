"""A small made graph with a known truth: videos of five segments, classes that features show dimly."""

import numpy as np

from mmgraph.graph.contract import Edges, Features, Graph, Labels
from mmgraph.split.contract import LabelSplit, LinkSplit, Split
from mmgraph.types import Relation

FOLLOWS = Relation("segment", "follows", "segment")
CONTAINS = Relation("video", "contains", "segment")


def made(videos=20, seed=0):
    """(graph, split) with about 60/20/20 of the follows links in train/valid/test."""
    rng = np.random.default_rng(seed)
    count = videos * 5
    video = np.arange(count) // 5
    classes = rng.integers(0, 3, videos)[video]
    image = np.concatenate([np.eye(3)[classes], np.eye(5)[np.arange(count) % 5]], 1) + rng.normal(size=(count, 8)) / 4
    present = rng.random(count) < 0.9
    start = np.array([i for i in range(count - 1) if video[i] == video[i + 1]])
    follows = Edges(FOLLOWS, start, start + 1, temporal=True, built_by="follows")
    contains = Edges(CONTAINS, video, np.arange(count), built_by="contains")
    labels = Labels("segment", "category", ("x", "y", "z"), classes)
    graph = Graph(
        {"segment": np.array([f"s{i}" for i in range(count)]), "video": np.array([f"v{i}" for i in range(videos)])},
        {FOLLOWS: follows, CONTAINS: contains},
        {("segment", "image"): Features(np.where(present[:, None], image, 0).astype(np.float32), present)},
        {("segment", "category"): labels},
        {"segment": video},
    )
    order = rng.permutation(len(follows))
    train, valid, test = (np.sort(part) for part in np.split(order, [int(0.6 * len(order)), int(0.8 * len(order))]))
    visible = graph.with_edges({FOLLOWS: follows.take(train), CONTAINS: contains})
    items = rng.permutation(count)
    shown = LabelSplit(labels, *(np.sort(part) for part in np.split(items, [count // 5, count // 2])))
    return graph, Split({FOLLOWS: LinkSplit(follows, train, valid, test)}, {labels.target: shown}, visible)
