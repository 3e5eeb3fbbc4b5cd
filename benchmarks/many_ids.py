"""Training 10 million ids of width 64 on this machine: seconds of a step and peak memory, row by row and, of fewer, with dense Adam.

python benchmarks/many_ids.py [--ids 10000000] [--steps 100] [--out benchmarks/results/many_ids.md]

Four fifths of the ids are users, the others items; each user has one link with an item of its taste (there are 1,000). The model is the
table alone (`model.layer: none`), the loss InfoNCE with 64 candidates, a batch 8,192 links. Each line is of a process of its own: what it
was estimated to add, as `mmgraph fit` says before it trains; the most memory that the process ever had, with Python, torch and the graph;
the seconds of what comes before, and of a step (the median, the first five left out). Dense Adam steps every row each time, and keeps two
moments and a gradient as large as the table: it is measured with a tenth of the ids.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

import lightning
import numpy as np
import torch

from mmgraph.graph.contract import Edges, Graph
from mmgraph.model.data import GraphData
from mmgraph.model.estimate import estimate
from mmgraph.model.train import build
from mmgraph.sample.asked import Asked
from mmgraph.settings import BatchSettings, Component, IdSettings, ModelSettings
from mmgraph.split.contract import LinkSplit, Split
from mmgraph.tasks.kinds.recommend import Recommend
from mmgraph.types import Relation

HERE = Path(__file__).resolve().parent
WIDTH, TASTES, BATCH, WARM = 64, 1000, 8192, 5
NAMED = {"row_adagrad": "row-wise Adagrad", "dense": "dense Adam"}


def made(ids):
    """The visible graph: users, of whom each has one item of its taste."""
    items = ids // 5
    users = ids - items
    rng = np.random.default_rng(0)
    taste = np.arange(users) % TASTES
    target = (rng.integers(0, items // TASTES, users) * TASTES + taste).astype(np.int64)
    relation = Relation("user", "plays", "item")
    names = {kind: np.arange(count).astype("U8") for kind, count in (("user", users), ("item", items))}
    return Graph(names, {relation: Edges(relation, np.arange(users, dtype=np.int64), target)}), relation


def parts(ids, optimizer):
    """(module, data, settings), as the pipeline builds them."""
    graph, relation = made(ids)
    known, nothing = graph.edges[relation], np.zeros(0, np.int64)
    split = Split({relation: LinkSplit(known, np.arange(len(known)), nothing, nothing)}, {}, graph)
    scorer = Component(class_path="dot", init_args={"heads": False})
    negatives = Component(class_path="uniform", init_args={"num": 64})
    task = Recommend(relation=str(relation), scorer=scorer, negatives=negatives)
    settings = ModelSettings(
        width=WIDTH, layer="none", optimizer="adam", weight_decay=0.0, learning_rate=0.01,
        ids=IdSettings(optimizer=optimizer), batches=BatchSettings(mode="neighbours", size=BATCH),
    )  # fmt: skip
    torch.manual_seed(0)
    module = build(graph, task.heads(split, settings), settings, 0)
    data = GraphData(graph, Asked(task.asked_links(split), []), settings, 0.3, 0)
    return module, data, settings


class Clock(lightning.Callback):
    """When each step ended, by the wall and by the processor."""

    def __init__(self):
        self.ends = []

    def on_train_batch_end(self, trainer, module, outputs, batch, number):
        del trainer, module, batch, number
        assert torch.isfinite(outputs["loss"])
        self.ends.append((time.perf_counter(), time.process_time()))


def measured(ids, optimizer, steps):
    """One line of the table."""
    began = time.perf_counter()
    module, data, settings = parts(ids, optimizer)
    by_row = optimizer == "row_adagrad"
    need = estimate(module, data, "neighbours", settings, by_row=by_row)
    module.step_by_row(by_row)
    prepared, clock = time.perf_counter() - began, Clock()
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=1, limit_train_batches=steps, callbacks=[clock], logger=False, enable_checkpointing=False,
        num_sanity_val_steps=0, limit_val_batches=0, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, data)
    step, cpu = np.median(np.diff(clock.ends, axis=0)[WARM:], axis=0).tolist()
    return {
        "ids": ids, "optimizer": optimizer, "steps": steps, "prepared_s": prepared, "step_s": step, "cpu_s": cpu,
        "table_gib": ids * WIDTH * 4 / 2**30, "adds_gib": need.more / 2**30,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }  # fmt: skip


def page(found):
    lines = [
        f"# {found[0]['ids']:,} ids\n\nWritten by `python benchmarks/many_ids.py`, {datetime.now(UTC).date()}, {os.cpu_count()} cores.\n"
    ]
    lines.append(f"Width {WIDTH}, {BATCH:,} links a step; what is measured stands at the head of that file.\n")
    lines += [
        "| ids | stepped by | table GiB | estimated to add GiB | peak GiB | prepared s | step s | step CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        head = f"| {one['ids']:,} | {NAMED[one['optimizer']]}, {one['steps']} steps | {one['table_gib']:.2f} | {one['adds_gib']:.2f}"
        tail = f"{one['peak_gib']:.2f} | {one['prepared_s']:.0f} | {one['step_s']:.3f} | {one['cpu_s']:.3f} |"
        lines.append(f"{head} | {tail}")
    lines.append(
        "\nThe estimate is of a whole fit: its peak is the look at validation, which embeds all items at once and is not made here."
    )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ids", type=int, default=10_000_000)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--worker", choices=NAMED)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "many_ids.md")
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measured(options.ids, options.worker, options.steps)))
        return
    found = []
    for ids, worker, steps in (
        (options.ids, "row_adagrad", options.steps),
        (options.ids // 10, "row_adagrad", 30),
        (options.ids // 10, "dense", 30),
    ):
        words = [sys.executable, "-W", "ignore", __file__, "--worker", worker, "--ids", str(ids), "--steps", str(steps)]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
        print(found[-1], flush=True)
    options.out.write_text(page(found))
    print(page(found))


if __name__ == "__main__":
    main()
