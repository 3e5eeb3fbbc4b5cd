"""The estimate of memory and time beside what training really takes, each measured in a process of its own.

python benchmarks/estimate.py [--only NAME] [--epochs N]

Needed: by how much a process grows from before training to its highest (VmHWM) when the C library gives freed memory back at once
(MALLOC_TRIM_THRESHOLD_), beside ``Need.more``, which is counted from shapes. Grown: the same of an ordinary process, whose C library
keeps small blocks that were freed, beside the growth in the three epochs that a dry run rehearses. Time: an epoch as rehearsed, beside
the mean of real ones in the same process. Ratios are estimate / measured.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

CASES = {
    # name: (users, items, links, width of features or 0, layer, mode, batch size)
    "hgt full, features": (4_000, 4_000, 40_000, 128, "hgt", "full", 1024),
    "gat full, features": (6_000, 6_000, 60_000, 128, "gat", "full", 1024),
    "gat neighbours, ids": (20_000, 15_000, 20_000, 0, "gat", "neighbours", 8192),
    "sage steps, ids": (15_000, 15_000, 60_000, 0, "sage", "steps", 32_768),
    "hgt neighbours, features": (15_000, 15_000, 15_000, 64, "hgt", "neighbours", 8192),
    "sage full, features": (15_000, 15_000, 200_000, 256, "sage", "full", 1024),
    "sage neighbours, features": (60_000, 40_000, 100_000, 128, "sage", "neighbours", 32_768),
    "sage full, ids": (60_000, 40_000, 1_000_000, 0, "sage", "full", 1024),
}


def split_of(users, items, links, wide):
    """Users like items, some items many times; a fifth is held out."""
    import numpy as np

    from mmgraph.graph.contract import Edges, Features, Graph
    from mmgraph.split.contract import LinkSplit, Split
    from mmgraph.types import Relation

    rng, relation = np.random.default_rng(0), Relation("user", "likes", "item")
    pairs = np.unique(rng.integers(users, size=links) * items + (items * rng.random(links) ** 2).astype(np.int64))
    edges = Edges(relation, pairs // items, pairs % items)
    counts = {"user": users, "item": items}
    ids = {kind: np.array([f"{kind}{i}" for i in range(count)]) for kind, count in counts.items()}
    features = {
        (kind, "image"): Features(rng.standard_normal((count, wide), np.float32), np.ones(count, bool))
        for kind, count in counts.items()
        if wide
    }
    train, valid, test = (
        np.sort(p) for p in np.split(rng.permutation(len(edges)), [len(edges) * 4 // 5, len(edges) * 9 // 10])
    )
    return Split({relation: LinkSplit(edges, train, valid, test)}, {}, Graph(ids, {relation: edges.take(train)}, features))


def prepared(case):
    """Module, data and settings."""
    import torch

    from mmgraph import registry
    from mmgraph.model.data import GraphData
    from mmgraph.model.train import build
    from mmgraph.sample.asked import Asked
    from mmgraph.settings import BatchSettings, Component, ModelSettings

    *shape, layer, mode, size = case
    split = split_of(*shape)
    model = ModelSettings(width=64, layer=layer, batches=BatchSettings(mode=mode, size=size, fanouts=(10, 5)))
    negatives = {"class_path": "uniform", "init_args": {"num": 128}}
    task = registry.create(
        "task", Component(class_path="Links", init_args={"relation": "user/likes/item", "negatives": negatives})
    )
    torch.manual_seed(0)
    module = build(split.visible, task.heads(split, model), model, seed=0)
    supervise = 0.1 if mode == "full" else 0.3
    return module, GraphData(split.visible, Asked(task.asked_links(split)), model, supervise, 0), model


def measure(name, epochs, rehearsed):
    """One configuration, here: what it is said to need and to take, and what it does."""
    from statistics import mean

    from mmgraph.model.estimate import estimate
    from mmgraph.model.rehearse import Clock, rehearse
    from mmgraph.model.resident import growth
    from mmgraph.model.train import train

    train_small()
    found = {}
    if rehearsed:
        first = rehearse(*prepared(CASES[name])[:2], {"accelerator": "cpu"}, prepared(CASES[name])[2])
        found = {"rehearsed": first.epoch, "grown": first.grown}
    module, data, model = prepared(CASES[name])
    need, clock = estimate(module, data, data.mode, model), Clock()
    with tempfile.TemporaryDirectory() as folder, growth() as grown:
        train(module, data, {"max_epochs": epochs, "accelerator": "cpu"}, Path(folder) / "checkpoints", model, [clock])
    found |= {"estimate": need.more, "measured": grown.bytes, "epoch": mean(clock.epochs[1:] or clock.epochs)}
    print(json.dumps(found))


def train_small():
    """What torch, DGL and Lightning load on their first use is no need of the graph's."""
    from mmgraph.graph.dgl import load_dgl
    from mmgraph.model.train import train

    load_dgl()
    module, data, model = prepared((50, 50, 400, 0, "sage", "neighbours", 64))
    with tempfile.TemporaryDirectory() as folder:
        train(module, data, {"max_epochs": 1, "accelerator": "cpu"}, Path(folder) / "checkpoints", model)


def asked(name, epochs, rehearsed=False, **more):
    """The same in a process of its own, with ``more`` in its environment."""
    words = [sys.executable, __file__, "--only", name, "--epochs", str(epochs), *(["--rehearsed"] if rehearsed else [])]
    done = subprocess.run([*words, "--here"], capture_output=True, text=True, check=True, env={**os.environ, **more})
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(CASES))
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--here", action="store_true", help="in this process, as the others are started")
    parser.add_argument("--rehearsed", action="store_true")
    given = parser.parse_args()
    if given.here:
        measure(given.only, given.epochs, given.rehearsed)
        return
    head = ("configuration", "nodes", "links", "need, MB", "needed", "ratio", "grown in rehearsal, MB", "grown", "ratio")
    print(f"| {' | '.join(head)} | an epoch as rehearsed, s | measured | ratio |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name in [given.only] if given.only else CASES:
        users, items, links = CASES[name][:3]
        exact = asked(name, 2, MALLOC_TRIM_THRESHOLD_="131072")
        usual, timed = asked(name, given.epochs), asked(name, given.epochs, True)
        pairs = (
            (exact["estimate"] / 1e6, exact["measured"] / 1e6, ",.0f"),
            (timed["grown"] / 1e6, usual["measured"] / 1e6, ",.0f"),
            (timed["rehearsed"], timed["epoch"], ".2f"),
        )
        cells = " | ".join(f"{one:{form}} | {two:{form}} | {one / two:.2f}" for one, two, form in pairs)
        print(f"| {name} | {users + items:,} | {links:,} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
