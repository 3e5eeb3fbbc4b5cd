"""How long the lists of 30,000 users among 40,000 items take to be measured, and what memory the top 20 of all users take to be written.

python benchmarks/recommend_speed.py [--users 30000] [--items 40000] [--width 64] [--out benchmarks/results/recommend_speed.md]

Users and items are vectors drawn by chance (scores by one product of float32, as a trained network's); each user has 20 train links, 5
held-out ones. Aimed at: under 20 s on 2 cores, within 2 GiB. Each number is of a process of its own; its memory is the largest that the
process ever had, with Python, torch and the graph.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

import numpy as np

from mmgraph.evaluate.gnn import EmbeddingLinks
from mmgraph.evaluate.recommend.evaluate import evaluate_recommendations
from mmgraph.evaluate.recommend.question import RecommendQuestion
from mmgraph.graph.contract import Edges, Graph
from mmgraph.outputs.recommend import Wanted, write_recommendations
from mmgraph.settings import EvaluateSettings
from mmgraph.split.contract import LinkSplit
from mmgraph.types import Relation

HERE = Path(__file__).resolve().parent
TRAIN, HELD_OUT = 20, 5


def made(users, items, width):
    """(question, method): users with TRAIN known and HELD_OUT asked links, and vectors drawn by chance."""
    generator = np.random.default_rng(0)
    each = TRAIN + HELD_OUT
    target = (generator.integers(items, size=(users, 1)) + generator.permutation(items)[:each]) % items
    relation = Relation("user", "wants", "item")
    edges = Edges(relation, np.repeat(np.arange(users), each), target.ravel().astype(np.int64))
    test = (np.arange(users)[:, None] * each + np.arange(TRAIN, each)).ravel()
    train = np.setdiff1d(np.arange(users * each), test)
    ids = {kind: np.array([f"{kind}{i}" for i in range(count)]) for kind, count in (("user", users), ("item", items))}
    graph = Graph(ids, {relation: edges.take(train)})
    question = RecommendQuestion(graph, LinkSplit(edges, train, np.zeros(0, np.int64), test))
    vectors = (generator.normal(size=(count, width)).astype(np.float32) for count in (users, items))
    return question, EmbeddingLinks("vectors", *vectors)


def measured(what, users, items, width):
    question, method = made(users, items, width)
    started, cpu = time.perf_counter(), time.process_time()
    if what == "metrics":
        rows, _ = evaluate_recommendations(question, [method], EvaluateSettings())
        assert any(row.metric == "recall@20" and row.low is not None for row in rows)
    else:
        with tempfile.TemporaryDirectory() as folder:
            _, _, rows = write_recommendations(question, method, None, Wanted(exclude_known=True), Path(folder))
            assert rows == 20 * users
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"what": what, "wall_s": round(wall, 2), "cpu_s": round(cpu, 2), "peak_mib": round(peak)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=30_000)
    parser.add_argument("--items", type=int, default=40_000)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--what", choices=("metrics", "lists"))
    parser.add_argument("--out", type=Path, default=HERE / "results" / "recommend_speed.md")
    options = parser.parse_args()
    if options.what:
        print(json.dumps(measured(options.what, options.users, options.items, options.width)))
        return
    size = ["--users", str(options.users), "--items", str(options.items), "--width", str(options.width)]
    lines = [
        f"# {options.users:,} users among {options.items:,} items\n",
        "Written by `python benchmarks/recommend_speed.py`.\n",
    ]
    lines += ["| what | wall s | CPU s | peak MiB |", "|---|---|---|---|"]
    named = {"metrics": "all metrics at 5, 10, 20, 50, by group, 1000 resamples", "lists": "top 20 of all users, as Parquet"}
    for what, name in named.items():
        done = subprocess.run([sys.executable, __file__, "--what", what, *size], check=True, capture_output=True, text=True)
        one = json.loads(done.stdout.splitlines()[-1])
        lines.append(f"| {name} | {one['wall_s']} | {one['cpu_s']} | {one['peak_mib']} |")
        print(lines[-1], flush=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
