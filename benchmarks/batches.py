"""Full graph, steps and neighbour batches beside one another: the same model and split, several seeds, each until it gets no better.

python benchmarks/batches.py [--data ../shared/data] [--seeds 3] [--steps 160]

Every mode may take as many steps; validation chooses the epoch. Printed: the mean over seeds of the test figure of that epoch, the
interval of that mean (Student's t), and the same of the difference to the full graph, seed by seed.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

import numpy as np
import scipy.stats
import torch

from mmgraph import registry
from mmgraph.catalogue.importers.tables import Tables
from mmgraph.evaluate.contract import LinkQuestion
from mmgraph.evaluate.prepared import of_links
from mmgraph.evaluate.ranking import ranks
from mmgraph.graph.build import build as build_graph
from mmgraph.graph.contract import Edges, Features, Graph, Labels
from mmgraph.model.data import GraphData
from mmgraph.model.train import build, train
from mmgraph.sample.asked import Asked
from mmgraph.settings import BatchSettings, Component, LabelSplitSettings, ModelSettings, SplitSettings
from mmgraph.split.make import make
from mmgraph.tasks.heads import LinkHead

MODES = {
    "full": BatchSettings(mode="full"),
    "steps": BatchSettings(mode="steps", size=1024),
    "neighbours": BatchSettings(mode="neighbours", size=1024, fanouts=(15, 10)),
}


def cora(data):
    """Papers with their words, who cites whom, and the field of each."""
    from mmgraph.types import Relation

    held = np.load(data / "graphs" / "cora" / "cora.npz", allow_pickle=False)
    rows, wide = held["feat_shape"]
    words = np.zeros((rows, wide), np.float32)
    words[np.repeat(np.arange(rows), np.diff(held["feat_indptr"])), held["feat_indices"]] = held["feat_data"]
    pairs, relation = np.sort(held["edges"], 1), Relation("paper", "cites", "paper")
    edges = Edges(relation, pairs[:, 0].copy(), pairs[:, 1].copy())
    labels = Labels("paper", "field", tuple(f"f{i}" for i in range(held["label"].max() + 1)), held["label"])
    features = {("paper", "text"): Features(words, np.ones(rows, bool))}
    graph = Graph(
        {"paper": np.array([f"p{i}" for i in range(rows)])}, {relation: edges}, features, {("paper", "field"): labels}
    )
    return graph, ["paper/cites/paper"], ["field"]


def exercises(data):
    """Exercises, their muscles, photos and texts, without vectors: every item is known by its links alone."""
    graph = build_graph(Tables(root=data / "exercises").read(), {}, [])
    return graph, ["exercise/works/muscle", "exercise/helps/muscle"], []


def trained(graph, relations, fields, batches, seed, steps):
    """Test figures by name, and seconds of a training."""
    chosen = [Component(class_path="Links", init_args={"relation": one}) for one in relations]
    chosen += [Component(class_path="Categories", init_args={"field": one}) for one in fields]
    tasks = [registry.create("task", one) for one in chosen]
    asked = [r for t in tasks for r in t.relations(graph)], [f for t in tasks for f in t.fields(graph)]
    split = make(graph, *asked, SplitSettings(labels=LabelSplitSettings(k=20, group="none")), seed=7)
    model = ModelSettings(width=64, batches=batches, patience=1000)
    torch.manual_seed(seed)
    module = build(split.visible, [h for t in tasks for h in t.heads(split, model)], model, seed)
    links, labels = [a for t in tasks for a in t.asked_links(split)], [a for t in tasks for a in t.asked_labels(split)]
    data = GraphData(split.visible, Asked(links, labels), model, 0.3, seed)
    epochs = max(1, steps // len(data.batches))
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        made = train(module, data, {"max_epochs": epochs, "accelerator": "cpu"}, Path(folder) / "checkpoints", model)
    took, found = time.perf_counter() - start, {}
    for one in made.heads:
        if isinstance(one.head, LinkHead):
            question = LinkQuestion(split.visible, split.links[one.head.relation], 7)
            method, held = of_links(one.head, one.embeddings), question.split.test
            every = [ranks(method, question, held, direction, 1024).rank for direction in question.directions]
            found[f"{one.head.name} mrr"] = float((1 / np.concatenate(every)).mean())
        else:
            labelled = split.labels[one.head.name]
            right = (
                one.head.probabilities(one.embeddings).numpy()[labelled.test].argmax(1)
                == labelled.labels.values[labelled.test]
            )
            found[f"{one.head.name} accuracy"] = float(right.mean())
    return found, took


def spread(values):
    """Mean and its 95 % interval over seeds."""
    mean, error = np.mean(values), np.std(values, ddof=1) / len(values) ** 0.5
    half = error * scipy.stats.t.ppf(0.975, len(values) - 1)
    return f"{mean:.3f} [{mean - half:.3f}, {mean + half:.3f}]"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=160)
    given = parser.parse_args()
    print("| graph | figure on test | mode | mean over seeds | difference to full | seconds |")
    print("|---|---|---|---|---|---:|")
    for name, load in (("cora", cora), ("exercises", exercises)):
        graph = load(given.data)
        runs = {mode: [trained(*graph, b, seed, given.steps) for seed in range(given.seeds)] for mode, b in MODES.items()}
        for figure in runs["full"][0][0]:
            full = np.array([found[figure] for found, _ in runs["full"]])
            for mode, some in runs.items():
                values = np.array([found[figure] for found, _ in some])
                apart = "–" if mode == "full" else spread(values - full)
                seconds = np.mean([took for _, took in some])
                print(f"| {name} | {figure} | {mode} | {spread(values)} | {apart} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
