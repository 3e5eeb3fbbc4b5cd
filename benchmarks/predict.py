"""Links of many sources by many targets: time, peak memory and recall, exact and by an index.

Vectors are random, drawn around centres (real ones lie in clusters; --spread 0.1 is easy for an index, a large one is noise). Each way
runs in a process of its own, so that its peak memory is its own; each writes the whole file that ``mmgraph predict`` writes.

    python benchmarks/predict.py --sources 100000 --targets 100000
"""

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from mmgraph.evaluate.contract import LinkQuestion
from mmgraph.evaluate.gnn import ScorerLinks
from mmgraph.evaluate.prepared import Prepared
from mmgraph.graph.contract import Edges, Graph
from mmgraph.model.scorers.dot import Dot
from mmgraph.outputs.predict import Asked, write_predictions
from mmgraph.outputs.predictions import LinkPrediction
from mmgraph.split.contract import LinkSplit
from mmgraph.types import Relation

RELATION = Relation("a", "r", "b")


def made(sources, targets, width, spread):
    """A question with one known link a source, and vectors around a thousand centres."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(1000, width)).astype(np.float32)

    def drawn(count):
        noise = rng.normal(size=(count, width)).astype(np.float32)
        return torch.from_numpy(centres[rng.integers(1000, size=count)] + np.float32(spread) * noise)

    source, target = drawn(sources), drawn(targets)
    ids = {kind: np.array([f"{kind}{i}" for i in range(n)], object) for kind, n in (("a", sources), ("b", targets))}
    known = Edges(RELATION, np.arange(sources), rng.integers(targets, size=sources))
    nothing = np.zeros(0, np.int64)
    question = LinkQuestion(Graph(ids, {RELATION: known}), LinkSplit(known, np.arange(sources), nothing, nothing))
    scorer = Dot(width, heads=False)
    return question, Prepared(ScorerLinks("gnn", None), scorer, lambda chosen: source[chosen], target)


def measured(words, approximate, queue):
    """One way, in this process."""
    question, method = made(words.sources, words.targets, words.width, words.spread)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        began, used = time.perf_counter(), time.process_time()
        asked = Asked(top_k=words.top_k, approximate=approximate, recall=words.recall)
        done = write_predictions(LinkPrediction(question, method, lambda s: 1 / (1 + np.exp(-s))), asked, Path(folder))
        wall, cpu = time.perf_counter() - began, time.process_time() - used
        size = done.path.stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    way = {"way": "faiss" if approximate else "exact", "wall_s": wall, "cpu_s": cpu, "before_mb": before / 1024}
    way |= {"peak_mb": peak / 1024, "rows": done.rows, "file_mb": size / 2**20}
    if done.near is not None:
        way |= {"recall": done.near.recall, "cells": done.near.cells, "probed": done.near.probed}
    queue.put(way)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=100_000)
    parser.add_argument("--targets", type=int, default=100_000)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--top-k", type=int, default=10)
    parser.add_argument("--spread", type=float, default=1.0)
    parser.add_argument("--recall", type=float, default=0.95)
    parser.add_argument("--ways", nargs="+", choices=["exact", "faiss"], default=["exact", "faiss"])
    words = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    for way in words.ways:
        queue = context.Queue()
        process = context.Process(target=measured, args=(words, way == "faiss", queue))
        process.start()
        print(json.dumps(queue.get()), flush=True)
        process.join()


if __name__ == "__main__":
    main()
