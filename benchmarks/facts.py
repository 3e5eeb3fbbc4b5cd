"""What the benchmarks of knowledge graphs share: the configuration, the split as published, and one training."""

import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping

from mmgraph import registry
from mmgraph.configuration import load
from mmgraph.graph.build import build as build_graph
from mmgraph.model.callbacks import Curves
from mmgraph.model.data import GraphData
from mmgraph.model.train import build, train
from mmgraph.sample.asked import Asked
from mmgraph.split.make import make

CONFIG = Path(__file__).parent.parent / "configs" / "knowledge.yaml"
SETS = ("codex-s", "umls", "kinship")


@dataclass
class Problem:
    """The settings, the published split, and the tasks asked of it."""

    settings: object
    split: object
    tasks: list


def problem(root, name, overrides=(), config=CONFIG):
    """Of the data set ``name`` below ``root``; overrides: ``--section.key=value``, as of ``mmgraph fit``."""
    settings = load(config, [f"--catalogue.root={Path(root) / name}", *overrides])
    tasks = [registry.create("task", one) for one in settings.tasks]
    graph = build_graph(registry.create("importer", settings.catalogue).read(), {}, [], {})
    relations = [relation for task in tasks for relation in task.relations(graph)]
    return Problem(settings, make(graph, relations, [], settings.split, settings.run.seed), tasks)


def made(one):
    """The untrained module and its batches, as ``mmgraph.pipeline.built`` makes them, without what reads media."""
    settings, split = one.settings, one.split
    torch.manual_seed(settings.run.seed)
    heads = [head for task in one.tasks for head in task.heads(split, settings.model)]
    module = build(split.visible, heads, settings.model, settings.run.seed)
    asked = [asked for task in one.tasks for asked in task.asked_triples(split)]
    return module, GraphData(split.visible, Asked(triples=asked), settings.model, 0.3, settings.run.seed)


def trained(one, device="cpu"):
    """(what ``mmgraph fit`` would have trained, seconds); the best epoch by validation."""
    module, data = made(one)
    arguments = {**one.settings.trainer, **_on(device)}
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result = train(module, data, arguments, Path(folder) / "checkpoints", one.settings.model)
    return result, time.perf_counter() - start


def validated(one, device="cpu", max_time=None):
    """[(epoch, filtered MRR on validation)] of one training that keeps nothing, and seconds; the test split is not looked at."""
    module, data = made(one)
    curves, patience = Curves(), EarlyStopping("valid/score", mode="max", patience=one.settings.model.patience)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lightning.Trainer(
            **quiet,
            max_epochs=one.settings.trainer["max_epochs"],
            max_time=max_time,
            callbacks=[curves, patience],
            num_sanity_val_steps=0,
            reload_dataloaders_every_n_epochs=1,
            **_on(device),
        ).fit(module, data)
    figures = [(epoch, value) for epoch, name, value in curves.rows if name == "valid/score"]
    return figures, time.perf_counter() - start


def _on(device):
    return {"accelerator": "gpu" if device == "cuda" else "cpu", "devices": 1}


def peak_mb(device="cpu"):
    """Of this process since it started; with cuda, of the device's memory."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    lines = Path("/proc/self/status").read_text().splitlines()  # what getrusage says begins with the peak of who started it
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6
