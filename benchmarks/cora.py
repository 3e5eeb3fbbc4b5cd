"""Topics of papers from 20 labels each: Cora, public split, by configs/citations.yaml, over seeds, beside simple methods and other layers.

python benchmarks/cora.py [--root ../shared/data/graphs/cora] [--methods grand,gcn,appnp,sgc] [--seeds 20] [--first 1] [--tables FOLDER]
    [--out benchmarks/results/cora]

Each training is what ``mmgraph fit`` would do with the configuration: the tables are read by the importer, the split is the one given
(140 train, 500 valid, 1000 test), validation chooses the epoch, and the test items are read once, by ``evaluate``. The other layers differ
from the configuration in what PEERS says. Methods without training of ours are fitted once: they draw nothing. What was found is added to
``OUT.json``, so that seeds may be run in several calls; the interval is a bootstrap over seeds.
"""

import argparse
import json
import logging
import os
import platform
import tempfile
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

import numpy as np
import pandas as pd

CONFIG = Path(__file__).parent.parent / "configs" / "citations.yaml"
TOPICS = [  # in the order of the numbers of the published file
    "Theory",
    "Reinforcement_Learning",
    "Genetic_Algorithms",
    "Neural_Networks",
    "Probabilistic_Methods",
    "Case_Based",
    "Rule_Learning",
]
PLAIN = "--tasks=[{class_path: Categories, init_args: {field: topic, kind: paper, choose_by: likelihood}}]"
PEERS = {
    "grand": [],
    "grand, without consistency": [PLAIN],
    "appnp": ["--model.layer=appnp", "--model.depth=10", "--model.width=64", PLAIN],
    "sgc": ["--model.layer=sgc", "--model.depth=2", PLAIN],
    "gcn": [
        "--model.layer={class_path: gcn, init_args: {maps: shared}}",
        "--model.depth=2",
        "--model.width=64",
        "--model.norm=none",
        "--model.jumping=last",
        PLAIN,
    ],
    "no graph": ["--model.layer=none", PLAIN],
}


def write_tables(archive, folder):
    """The published file as the tables that a person would bring; labels outside its split are left out."""
    one = np.load(archive, allow_pickle=False)
    count = len(one["label"])
    ids = [f"paper{i:04d}" for i in range(count)]
    (folder / "features").mkdir(parents=True)
    pd.DataFrame({"id": ids, "kind": "paper"}).to_csv(folder / "items.csv", index=False)
    ends = [[ids[i] for i in column] for column in one["edges"].T]
    pd.DataFrame({"source": ends[0], "relation": "cites", "target": ends[1]}).to_csv(folder / "links.csv", index=False)
    parts = {split: one[f"{name}_idx"] for split, name in (("train", "train"), ("valid", "val"), ("test", "test"))}
    rows = [(ids[i], "topic", TOPICS[one["label"][i]], split) for split, items in parts.items() for i in items]
    pd.DataFrame(rows, columns=["id", "field", "value", "split"]).to_csv(folder / "labels.csv", index=False)
    words = np.zeros(one["feat_shape"], np.float32)
    words[np.repeat(np.arange(count), np.diff(one["feat_indptr"])), one["feat_indices"]] = one["feat_data"]
    np.save(folder / "features" / "paper.words.npy", words)
    (folder / "features" / "paper.words.ids.txt").write_text("\n".join(ids) + "\n")
    return folder


def measured(tables, work, overrides, seed, baselines):
    """{method: {"accuracy", ...}} of one training with this seed, and seconds.

    Step by step as ``mmgraph.pipeline.fit``, without what reads media, so that it runs where nothing can decode any.
    """
    import torch

    from mmgraph import registry
    from mmgraph.configuration import load
    from mmgraph.evaluate.answers import answer
    from mmgraph.graph.build import build as build_graph
    from mmgraph.graph.contract import Features
    from mmgraph.model.data import GraphData
    from mmgraph.model.train import build, train
    from mmgraph.sample.asked import Asked
    from mmgraph.split.leaks import check
    from mmgraph.split.make import make

    given = [f"--catalogue.root={tables}", f"--run.dir={work}/run", f"--run.seed={seed}", *overrides]
    settings = load(CONFIG, given)
    (task,) = [registry.create("task", one) for one in settings.tasks]
    vectors = np.load(tables / "features" / "paper.words.npy", allow_pickle=False)
    features = {("paper", "words"): Features(vectors, np.ones(len(vectors), bool))}
    graph = build_graph(registry.create("importer", settings.catalogue).read(), features, [])
    split = make(graph, [], task.fields(graph), settings.split, seed)
    check(graph, split, settings.split)
    start = time.perf_counter()
    torch.manual_seed(seed)
    module = build(split.visible, task.heads(split, settings.model), settings.model, seed)
    data = GraphData(split.visible, Asked(labels=task.asked_labels(split)), settings.model, 0.3, seed)
    with tempfile.TemporaryDirectory() as folder:
        trained = train(module, data, settings.trainer, Path(folder), settings.model)
    seconds = time.perf_counter() - start
    rows = answer(trained, split, load(CONFIG, [*given, *baselines]).evaluate, seed).rows
    found = {}
    for row in rows:
        if row.metric in ("accuracy", "macro_f1", "ece") and row.group == "" and row.split in ("valid", "test"):
            name = row.metric if row.split == "test" else f"valid {row.metric}"
            found.setdefault(row.method, {})[name] = row.value
    epochs = len([1 for _, name, _ in trained.curves if name == "valid/score"])
    found["gnn"] |= {"seconds": seconds, "epochs": epochs, "threads": torch.get_num_threads()}
    return found


def interval(values, level=0.95, resamples=10_000):
    """Of the mean, by a bootstrap over seeds."""
    values = np.asarray(values)
    drawn = values[np.random.default_rng(7).integers(len(values), size=(resamples, len(values)))].mean(1)
    return tuple(np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]))


def table(found):
    """Markdown."""
    lines = [
        "| method | seeds | test accuracy, mean | interval of the mean | deviation | valid accuracy | s a seed | epochs |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|")
    for name, by_seed in found.items():
        accuracy = [one["accuracy"] for one in by_seed.values()]
        low, high = interval(accuracy) if len(accuracy) > 1 else (None, None)
        cells = [name, str(len(accuracy)), f"{100 * np.mean(accuracy):.2f}"]
        cells.append(f"{100 * low:.2f} to {100 * high:.2f}" if low else "")
        cells.append(f"{100 * np.std(accuracy, ddof=1):.2f}" if low else "")
        cells.append(f"{100 * np.mean([one['valid accuracy'] for one in by_seed.values()]):.1f}")
        for key in ("seconds", "epochs"):
            values = [one[key] for one in by_seed.values() if key in one]
            cells.append(f"{np.mean(values):.0f} (at most {max(values):.0f})" if values else "")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared/data/graphs/cora"))
    parser.add_argument("--methods", default=",".join(PEERS).replace("grand, ", "grand "))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1e9, help="no training begins after that")
    parser.add_argument("--tables", type=Path, help="write the tables here, for `mmgraph fit`, and end")
    parser.add_argument(
        "--add", type=Path, nargs="*", default=[], help="OUT.json of other calls, to be joined with this one's"
    )
    parser.add_argument("--set", nargs="*", default=[], help="further settings, --section.key=value without the dashes")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "cora")
    given = parser.parse_args()
    if given.tables:
        write_tables(given.root / "cora.npz", given.tables)
        return
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    names = {name.replace("grand, ", "grand "): name for name in PEERS}
    path, until = given.out.with_suffix(".json"), time.monotonic() + given.seconds
    found = json.loads(path.read_text()) if path.exists() else {}
    for one in given.add:
        for name, by_seed in json.loads(one.read_text()).items():
            found.setdefault(name, {}).update(by_seed)
    path.write_text(json.dumps(found, indent=1))
    with tempfile.TemporaryDirectory() as folder:
        tables = write_tables(given.root / "cora.npz", Path(folder) / "tables")
        for seed in range(given.first, given.first + given.seeds):
            for name in (names[one] for one in given.methods.split(",")):
                if str(seed) in found.get(name, {}) or time.monotonic() > until:
                    continue
                first = not any("gnn" not in method for method in found) or "majority" not in found
                baselines = ["--evaluate.bootstrap=0", *([] if first else ["--evaluate.baselines=[majority]"])]
                one = measured(tables, folder, [*PEERS[name], *(f"--{x}" for x in given.set)], seed, baselines)
                found.setdefault(name, {})[str(seed)] = one.pop("gnn")
                one.pop("mmgraph")
                for method, row in one.items():
                    found.setdefault(method, {}).setdefault("", row)
                path.write_text(json.dumps(found, indent=1))
                print(name, seed, found[name][str(seed)], flush=True)
    where = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    head = f"# Cora, public split\n\n`python benchmarks/cora.py`, {where}, {datetime.now(tz=UTC).date().isoformat()}.\n\n"
    given.out.with_suffix(".md").write_text(head + table(found) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
