"""Categories without labels: from their names, and from nothing. Labels are read to measure, and by nothing else.

python benchmarks/unlabelled.py [--sample FOLDER] [--data ../shared/data] [--weights ../shared/weights] [--out benchmarks/results]
    [--store FOLDER] [--epochs 60] [--seeds 3] [--only names|nothing] [--towers text image]

Prompts are one pattern a corpus, written before anything was measured. ``--sample``: a folder that `mmgraph sample` wrote, made anew
when not given. Numbers from names have 95 % intervals by bootstrap over items (the segments of one video together); those from nothing
are means over seeds, with the lowest and highest; each seed trains anew.
"""

import argparse
import logging
import os
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import msgspec
import numpy as np

from encoders import stand_in
from mmgraph import registry
from mmgraph.corpus import make
from mmgraph.encode.choose import choose
from mmgraph.evaluate.agreement import agreement
from mmgraph.evaluate.clustering import ClusterQuestion
from mmgraph.evaluate.clusters import raw_question
from mmgraph.evaluate.contract import LabelQuestion
from mmgraph.evaluate.evaluate import evaluate_labels
from mmgraph.evaluate.zero_shot import named_vectors, reached, refined, zero_shot
from mmgraph.ingest import features, read
from mmgraph.model.train import train
from mmgraph.pipeline import assemble, built, divide
from mmgraph.settings import Component, EvaluateSettings, Settings, convert, plain
from mmgraph.split.contract import LabelSplit

MINILM, CLIP = "minilm_wheel", "CLIP stand-in"
PATTERNS = {
    "exercises": {"text": "a {} exercise", "image": "a photo of a person doing a {} exercise"},
    "sample": {"text": "a story about a {}", "image": "a picture of a {}"},
}
TEMPERATURE = {"text": 0.05, "image": 0.01}
TASKS = {"Masked": "masked", "Bootstrap": "bootstrap"}
FIELDS = ("category", "force", "level", "mechanic")
ABOUT = __doc__.split("\n\n")[-1].replace("\n", " ").strip()
METHODS = ("kmeans", "hdbscan", "louvain", *(("leiden",) if find_spec("sknetwork") else ()))  # leiden is an extra


def settings(catalogue, store, image="image_statistics"):
    raw = {
        "run": {"dir": "runs/unlabelled"},
        "catalogue": catalogue,
        "media": {"segments": {"method": "shots"}},
        "encoders": {
            "image": [image if isinstance(image, str) else plain(image)],
            "audio": ["sound_statistics"],
            "text": [MINILM],
            "when_unavailable": "error",
            "store": store,
        },
        "graph": {
            "near_duplicates": {"find": False},  # nothing is divided
            "edges": [] if catalogue["class_path"] == "Tables" else ["follows", "contains", "attached"],
        },
        "model": {"width": 64, "dropout": 0.3, "learning_rate": 0.003},
        "tasks": ["masked"],
    }
    return convert(raw, Settings)


def opened(given):
    catalogue, content = read(given)
    collected = features(given, catalogue, content)
    graph = assemble(given, catalogue, collected, content)
    return divide(given, graph, []), collected


def names(corpus, kind, fields, ways):
    """Rows: zero-shot and refined, by each modality that has a text tower, beside the commonest class of each field."""
    found = {field: {} for field in fields}
    for (modality, title), (catalogue_settings, tower) in ways.items():
        graph = opened(catalogue_settings)[0].visible
        items = reached(graph, kind, modality)
        chosen = choose("text", [tower], "error", "cpu").encoder()
        for field, predictions in found.items():
            prompts = {name: [PATTERNS[corpus][modality].format(name)] for name in graph.labels[kind, field].classes}
            probabilities = zero_shot(items, named_vectors(chosen, prompts), TEMPERATURE[modality])
            predictions[f"{title}, names"] = probabilities
            spread = refined(ClusterQuestion.of(graph, kind, items.vectors), probabilities)
            predictions[f"{title}, names, refined over the graph"] = spread
    return [
        line for field, predictions in found.items() for line in told(corpus, graph, graph.labels[kind, field], predictions)
    ]


def told(corpus, graph, labels, predictions):
    """Rows of one field: every label is asked, none was shown."""
    known, none = np.flatnonzero(labels.values >= 0), np.zeros(0, np.int64)
    common = np.zeros((len(labels.values), len(labels.classes)), np.float32)
    common[:, np.bincount(labels.values[known]).argmax()] = 1.0
    question = LabelQuestion(graph, LabelSplit(labels, none, none, known), 0)
    rows, _ = evaluate_labels(question, {"commonest class": common, **predictions}, EvaluateSettings())
    cells = {
        (row.method, row.metric): f"{row.value:.3f} ({row.low:.3f}–{row.high:.3f})" for row in rows if row.split == "test"
    }
    first = f"{corpus}: {labels.target} (n = {len(known)}, {len(labels.classes)} classes)"
    for method in ("commonest class", *predictions):
        yield f"| {first} | {method} | {cells[method, 'accuracy']} | {cells[method, 'macro_f1']} |"
        first = ""


def nothing(corpus, given, kind, field, words):
    """Rows: each task and way to find clusters, beside k-means on the features."""
    split, collected = opened(given)
    labels = split.visible.labels[kind, field]
    known = np.flatnonzero(labels.values >= 0)
    truth, seeds = labels.values[known], range(words.seeds)
    found = {}
    raw = raw_question(split.visible, kind)
    k = len(np.unique(truth))
    for seed in seeds:
        method = registry.create("clustering", "kmeans")
        found.setdefault(("features", f"kmeans, {k}"), []).append(method.find(raw, k, seed).of)
        found.setdefault(("features", "kmeans, auto"), []).append(method.find(raw, None, seed).of)
    for title, name in TASKS.items():
        for seed in seeds:
            tasks = [registry.create("task", name)]
            seeded = _with_seed(given, seed)
            module, data = built(seeded, split, tasks, collected.tops)
            with tempfile.TemporaryDirectory() as folder:
                trainer = {"max_epochs": words.epochs, "accelerator": "cpu"}
                trained = train(module, data, trainer, Path(folder) / "checkpoints", seeded.model)
            question = ClusterQuestion.of(split.visible, kind, trained.embeddings[kind].numpy())
            found.setdefault((title, f"kmeans, {k}"), []).append(
                registry.create("clustering", "kmeans").find(question, k, seed).of
            )
            for one in METHODS:
                key = (title, "kmeans, auto" if one == "kmeans" else one)
                found.setdefault(key, []).append(registry.create("clustering", one).find(question, None, seed).of)
    rows, first = [], f"{corpus}: {kind}.{field} (n = {len(known)}, {k} classes)"
    for (title, method), each in found.items():
        values = np.array(
            [[(a := agreement(of[known], truth)).nmi, a.ari, a.accuracy, len(np.unique(of[of >= 0]))] for of in each]
        )
        cells = [f"{c.mean():.3f} ({c.min():.3f}–{c.max():.3f})" for c in values.T[:3]]
        rows.append(f"| {first} | {title} | {method} | {' | '.join(cells)} | {values[:, 3].mean():.0f} |")
        first = ""
    rows.append(f"| | all in one | majority | 0 | 0 | {np.bincount(truth).max() / len(truth):.3f} | 1 |")
    return rows


def _with_seed(given, seed):
    return msgspec.structs.replace(given, run=msgspec.structs.replace(given.run, seed=seed))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", type=Path, default=Path("../shared/weights"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--store", type=Path)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=("names", "nothing"))
    parser.add_argument("--towers", nargs="+", choices=("text", "image"), default=("text", "image"), help="what reads names")
    words = parser.parse_args()
    logging.getLogger("mmgraph").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as temporary:
        store = str(words.store or Path(temporary) / "store")
        if words.sample is None:
            words.sample = Path(temporary) / "sample"
            make(words.sample, 7)
        exercises = {"class_path": "Tables", "init_args": {"root": str(words.data / "exercises")}}
        sample = {"class_path": "Folder", "init_args": {"root": str(words.sample)}}
        if words.only != "nothing":
            clip = stand_in(Path(temporary) / "clip", words.weights)
            image, tower = (
                Component(class_path=f"open_clip_{side}", init_args={"model": clip, "pretrained": ""})
                for side in ("image", "text")
            )
            lines = ["| what | method | accuracy | macro-F1 |", "|---|---|---|---|"]
            for corpus, kind, fields, catalogue in (
                ("exercises", "exercise", FIELDS, exercises),
                ("sample", "segment", ("category",), sample),
            ):
                ways = {
                    ("text", MINILM): (settings(catalogue, f"{store}/{corpus}"), MINILM),
                    ("image", CLIP): (settings(catalogue, f"{store}/{corpus}", image), tower),
                }
                lines += names(corpus, kind, fields, {way: given for way, given in ways.items() if way[0] in words.towers})
            write(words.out / "names.md", "Categories from their names alone", lines, words)
        if words.only != "names":
            lines = ["| what | vectors | clusters by | NMI | ARI | accuracy | clusters |", "|---|---|---|---|---|---|---|"]
            lines += nothing("sample", settings(sample, f"{store}/sample"), "segment", "category", words)
            lines += nothing("exercises", settings(exercises, f"{store}/exercises"), "exercise", "category", words)
            write(words.out / "unlabelled.md", "Categories from nothing", lines, words)


def write(path, title, lines, words):
    when = time.strftime("%Y-%m-%d")
    command = f"python benchmarks/unlabelled.py --only {words.only or 'names'} --towers {' '.join(words.towers)}"
    if "nothing" in title:
        command = f"python benchmarks/unlabelled.py --only nothing --epochs {words.epochs} --seeds {words.seeds}"
    text = f"# {title}\n\n`{command}`, {when}, {os.cpu_count()} cores. {ABOUT}\n\n"
    path.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
