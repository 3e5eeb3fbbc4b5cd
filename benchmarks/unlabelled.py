"""Categories without labels: from their names, and from nothing. Labels are read to measure, and by nothing else.

python benchmarks/unlabelled.py [--sample FOLDER] [--data ../shared/data] [--weights ../shared/weights] [--out benchmarks/results]
    [--store FOLDER] [--epochs 60] [--seeds 3] [--only names|nothing]

Prompts are one pattern a corpus, written before anything was measured. ``--sample``: a folder that `mmgraph sample` wrote, made anew
when not given. Numbers from nothing are means over seeds, with the lowest and highest; each seed trains anew.
"""

import argparse
import logging
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import msgspec
import numpy as np
from sklearn.metrics import f1_score

from encoders import stand_in
from mmgraph import registry
from mmgraph.corpus import make
from mmgraph.encode.choose import choose
from mmgraph.evaluate.agreement import agreement
from mmgraph.evaluate.clustering import ClusterQuestion
from mmgraph.evaluate.clusters import raw_question
from mmgraph.evaluate.zero_shot import named_vectors, reached, refined, zero_shot
from mmgraph.ingest import features, read
from mmgraph.model.train import train
from mmgraph.pipeline import assemble, built, divide
from mmgraph.settings import Settings, convert

MINILM, CLIP = "minilm_wheel", "CLIP stand-in"
PATTERNS = {
    "exercises": {"text": "a {} exercise", "image": "a photo of a person doing a {} exercise"},
    "sample": {"text": "a story about a {}", "image": "a picture of a {}"},
}
TEMPERATURE = {"text": 0.05, "image": 0.01}
TASKS = {"Masked": "masked", "Bootstrap": "bootstrap"}
METHODS = ("kmeans", "hdbscan", "louvain", "leiden")


def settings(catalogue, store, image="image_statistics"):
    raw = {
        "run": {"dir": "runs/unlabelled"},
        "catalogue": catalogue,
        "media": {"segments": {"method": "shots"}},
        "encoders": {
            "image": [image],
            "audio": ["sound_statistics"],
            "text": [MINILM],
            "when_unavailable": "error",
            "store": store,
        },
        "graph": {"edges": [] if catalogue["class_path"] == "Tables" else ["follows", "contains", "attached"]},
        "model": {"width": 64, "dropout": 0.3, "learning_rate": 0.003},
        "tasks": ["masked"],
    }
    return convert(raw, Settings)


def opened(given):
    catalogue, content = read(given)
    collected = features(given, catalogue, content)
    graph = assemble(given, catalogue, collected, content)
    return divide(given, graph, []), collected


def figures(of, classes):
    return f"{np.mean(of == classes):.3f} | {f1_score(classes, of, average='macro', zero_division=0):.3f}"


def names(corpus, kind, field, ways):
    """Rows: zero-shot and refined, by each modality that has a text tower, beside the commonest class."""
    rows = []
    for (modality, title), (catalogue_settings, tower) in ways.items():
        split, _ = opened(catalogue_settings)
        graph = split.visible
        labels = graph.labels[kind, field]
        known = np.flatnonzero(labels.values >= 0)
        truth = labels.values[known]
        if not rows:
            common = np.full(len(known), np.bincount(truth).argmax())
            what = f"{corpus}: {kind}.{field} (n = {len(known)}, {len(labels.classes)} classes)"
            rows.append(f"| {what} | commonest class | {figures(common, truth)} |")
        chosen = choose("text", [tower], "error", "cpu").encoder()
        prompts = {name: [PATTERNS[corpus][modality].format(name)] for name in labels.classes}
        items = reached(graph, kind, modality)
        probabilities = zero_shot(items, named_vectors(chosen, prompts), TEMPERATURE[modality])
        spread = refined(ClusterQuestion.of(graph, kind, items.vectors), probabilities)
        for name, one in (("names", probabilities), ("names, refined over the graph", spread)):
            rows.append(f"| | {title}, {name} | {figures(one.argmax(1)[known], truth)} |")
    return rows


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
                {"class_path": f"open_clip_{side}", "init_args": {"model": clip, "pretrained": ""}}
                for side in ("image", "text")
            )
            lines = ["| what | method | accuracy | macro-F1 |", "|---|---|---|---|"]
            ways = {
                ("text", MINILM): (settings(exercises, f"{store}/exercises"), MINILM),
                ("image", CLIP): (settings(exercises, f"{store}/exercises", image), tower),
            }
            for field in ("category", "force"):
                lines += names("exercises", "exercise", field, ways)
            lines += names("sample", "segment", "category", {("text", MINILM): (settings(sample, f"{store}/sample"), MINILM)})
            write(words.out / "names.md", "Categories from their names alone", lines, words)
        if words.only != "names":
            lines = ["| what | vectors | clusters by | NMI | ARI | accuracy | clusters |", "|---|---|---|---|---|---|---|"]
            lines += nothing("sample", settings(sample, f"{store}/sample"), "segment", "category", words)
            lines += nothing("exercises", settings(exercises, f"{store}/exercises"), "exercise", "category", words)
            write(words.out / "clusters.md", "Categories from nothing", lines, words)


def write(path, title, lines, words):
    when = time.strftime("%Y-%m-%d")
    command = f"`python benchmarks/unlabelled.py --epochs {words.epochs} --seeds {words.seeds}`"
    text = f"# {title}\n\n{command}, {when}, {os.cpu_count()} cores.\n\n"
    path.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
