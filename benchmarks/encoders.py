"""What the encoders know: vectors of real weights, made by mmgraph's own path, judged by similarities and linear probes.

python benchmarks/encoders.py [--data ../shared/data] [--weights ../shared/weights] [--out benchmarks/results] [--store FOLDER] [--quick]
"""

import argparse
import datetime
import functools
import importlib.metadata
import json
import logging
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mmgraph.encode.choose import choose
from mmgraph.media.clip import Source
from mmgraph.settings import Component, MediaSettings
from mmgraph.store.fill import Job, fill
from mmgraph.store.store import Store

HERE = Path(__file__).resolve().parents[1]
PACKAGES = ("mmgraph", "torch", "torchaudio", "transformers", "open-clip-torch", "scikit-learn", "numpy")
IMAGENETS = ("barbell", "dumbbell")  # the pieces of equipment that are classes of ImageNet, which the stand-in was made from
REGULARISATION = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5)
# Pairs with the cosine that they have in the examples of sentence-transformers' documentation (semantic textual similarity,
# semantic search) for all-MiniLM-L6-v2.
PAIRS = (
    ("A man is eating food.", "A man is eating a piece of bread.", 0.755),
    ("The new movie is awesome", "The new movie is so great", 0.8939),
    ("The new movie is awesome", "The dog plays in the garden", 0.0543),
    ("The new movie is awesome", "A woman watches TV", -0.0502),
    ("The cat sits outside", "The dog plays in the garden", 0.2838),
    ("The cat sits outside", "The new movie is so great", -0.0029),
    ("The cat sits outside", "A woman watches TV", 0.1310),
    ("A man is playing guitar", "The dog plays in the garden", 0.2277),
    ("A man is playing guitar", "The new movie is so great", -0.0136),
    ("A man is playing guitar", "A woman watches TV", -0.0327),
)


class Encoded:
    """Vectors by name of an encoder, through the settings' own door: registry, weights, decoders, store."""

    def __init__(self, store):
        self.store, self.cards = Store(store), {}

    def vectors(self, modality, name, sources, **arguments):
        """float32 [len(sources), width] of sources whose keys differ."""
        component = Component(
            class_path=name, init_args={k: str(v) if isinstance(v, Path) else v for k, v in arguments.items()}
        )
        chosen = choose(modality, [component], "error", "auto")
        report = fill(self.store, [Job(chosen, [(source.key, source) for source in sources])], MediaSettings())[0]
        found, present = self.store.read(chosen.card, [source.key for source in sources])
        assert present.all(), report
        self.cards[name] = {"weights": chosen.card.weights, "revision": chosen.card.revision, "licence": chosen.card.licence}
        return found


def interval(groups, statistic, seed, draws):
    """[low, high], 95 %: percentiles over resampled groups. ``statistic`` takes positions."""
    rng, members = np.random.default_rng(seed), [np.flatnonzero(groups == group) for group in np.unique(groups)]
    found = [
        statistic(np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))])) for _ in range(draws)
    ]
    return [float(np.quantile(found, q)) for q in (0.025, 0.975)]


def probe(vectors, labels, groups, outer, inner, draws, seed):
    """Accuracy and balanced accuracy of a linear probe (ridge); no group is on both sides, nor when the penalty is chosen."""
    predicted = np.empty(len(labels), dtype=object)
    chosen = []
    for train, test in outer.split(vectors, labels, groups):
        best = max(REGULARISATION, key=lambda alpha: _inner(vectors[train], labels[train], groups[train], inner, alpha))
        predicted[test] = _model(best).fit(vectors[train], labels[train]).predict(vectors[test])
        chosen.append(best)
    return {**figures(predicted, labels, groups, draws, seed), "alpha": chosen}


def _model(alpha):
    return make_pipeline(
        StandardScaler(), RidgeClassifier(alpha)
    )  # least squares: as linear, and a tenth of the time of logistic


def _inner(vectors, labels, groups, splitter, alpha):
    folds = splitter.split(vectors, labels, groups)
    return np.mean([_model(alpha).fit(vectors[a], labels[a]).score(vectors[b], labels[b]) for a, b in folds])


def figures(predicted, labels, groups, draws, seed):
    right, classes = predicted == labels, np.unique(labels)

    def balanced(rows):
        shares = [right[rows][labels[rows] == one].mean() for one in classes if (labels[rows] == one).any()]
        return float(np.mean(shares))

    every = np.arange(len(labels))
    return {
        "accuracy": float(right.mean()),
        "accuracy_95": interval(groups, lambda rows: right[rows].mean(), seed, draws),
        "balanced": balanced(every),
        "balanced_95": interval(groups, balanced, seed, draws),
        "n": len(labels),
        "groups": len(np.unique(groups)),
    }


def similarities(encoded):
    """(a) Cosines of known pairs by MiniLM."""
    texts = sorted({text for pair in PAIRS for text in pair[:2]})
    vectors = encoded.vectors("text", "minilm_wheel", [Source(text, text=text) for text in texts])
    near, place = vectors @ vectors.T, {text: i for i, text in enumerate(texts)}
    rows = [{"a": a, "b": b, "stated": known, "found": float(near[place[a], place[b]])} for a, b, known in PAIRS]
    return {"pairs": rows, "largest_difference": max(abs(row["stated"] - row["found"]) for row in rows)}


def digits(encoded, given):
    """(b) Spoken digits, each speaker judged by a probe that never heard them."""
    takes = 2 if given.quick else 10
    paths = [path for path in sorted((given.data / "digits").glob("*.wav")) if int(path.stem.split("_")[2]) < takes]
    labels, speakers = (np.array([path.stem.split("_")[part] for path in paths], dtype=object) for part in (0, 1))
    sources = [Source(path.name, path) for path in paths]
    yamnet = {"model": given.weights / "yamnet", "front_end": "yamnet"}
    made = {
        "YAMNet, linear probe": encoded.vectors("audio", "audio_transformer", sources, **yamnet),
        "sound statistics, linear probe": encoded.vectors("audio", "sound_statistics", sources),
    }
    outer, inner = LeaveOneGroupOut(), GroupKFold(2 if given.quick else 5)
    rows = {name: probe(v, labels, speakers, outer, inner, given.draws, given.seed) for name, v in made.items()}
    return {**rows, "chance": {"accuracy": 1 / len(np.unique(labels)), "n": len(labels)}}


def exercises(given):
    """Names of exercises, category of each, two photos and a text of each; the same few of every category when quick."""
    table = pd.read_csv(given.data / "exercises" / "labels.csv")
    table = table[table.field == "category"].assign(name=lambda t: t.id.str.removeprefix("exercise:"))
    if given.quick:
        table = table[table.value.isin(["strength", "stretching", "cardio"])].groupby("value").head(10)
    names, categories = table.name.to_numpy(object), table.value.to_numpy(object)
    folder = given.data / "exercises"
    photos = [[folder / "photos" / f"{name}_{i}.jpg" for i in (0, 1)] for name in names]
    return names, categories, photos, [folder / "texts" / f"{name}.txt" for name in names]


def categories(encoded, given):
    """(c) Photo -> category of its exercise; both photos of an exercise are on the same side."""
    names, labels, photos, _ = exercises(given)
    sources = [Source(path.name, path) for pair in photos for path in pair]
    labels, groups = np.repeat(labels, 2), np.repeat(names, 2)
    made = {
        "MobileNetV2, linear probe": encoded.vectors(
            "image", "vision_transformer", sources, model=given.weights / "mobilenet_v2"
        ),
        "image statistics, linear probe": encoded.vectors("image", "image_statistics", sources),
    }
    outer, inner = (StratifiedGroupKFold(n, shuffle=True, random_state=given.seed) for n in (5, 3))
    rows = {name: probe(v, labels, groups, outer, inner, given.draws, given.seed) for name, v in made.items()}
    values, counts = np.unique(labels, return_counts=True)
    majority = np.full(len(labels), values[counts.argmax()], dtype=object)
    return {**rows, "majority": figures(majority, labels, groups, given.draws, given.seed)}


def stand_in(folder, weights):
    """The folder of the CLIP stand-in with its place written into it, as its README asks."""
    shutil.copytree(weights / "openclip_standin", folder, symlinks=True, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "open_clip_model.safetensors").symlink_to(
        (weights / "openclip_standin" / "open_clip_model.safetensors").resolve()
    )
    for path in folder.rglob("open_clip_config.json"):
        path.chmod(0o644)
        path.write_text(path.read_text(encoding="utf-8").replace("@HERE@", str(folder)), encoding="utf-8")
    return f"local-dir:{folder}"


def retrieval(encoded, given, model):
    """(d) Text -> photo among all photos: is one of the exercise's two among the first k."""
    names, _, photos, texts = exercises(given)
    images = encoded.vectors(
        "image", "open_clip_image", [Source(path.name, path) for pair in photos for path in pair], model=model
    )
    asked = {
        "by name": [Source("name " + name, text=name.replace("_", " ")) for name in names],
        "by name and description": [Source("text " + path.stem, path) for path in texts],
    }
    rows, mine = {}, np.repeat(np.arange(len(names)), 2)
    for how, sources in asked.items():
        near = encoded.vectors("text", "open_clip_text", sources, model=model) @ images.T
        best = np.where(mine[None] == np.arange(len(names))[:, None], near, -np.inf).max(axis=1)
        rank = (near > best[:, None]).sum(axis=1)  # how many photos of others stand before the better of its own
        rows[how] = {}
        for k in (1, 10):
            hit = rank < k
            rows[how][f"recall@{k}"] = float(hit.mean())
            rows[how][f"recall@{k}_95"] = interval(names, lambda i, hit=hit: hit[i].mean(), given.seed, given.draws)
    photos_in_all = len(mine)
    missed = {k: np.prod([(photos_in_all - 2 - i) / (photos_in_all - i) for i in range(k)]) for k in (1, 10)}
    rows["chance"] = {f"recall@{k}": float(1 - miss) for k, miss in missed.items()}
    return {**rows, "queries": len(names), "photos": photos_in_all, "objects": objects(encoded, given, model, names, images)}


def objects(encoded, given, model, names, images):
    """A control of (d): whether photos of exercises that use a piece of equipment are nearer to its name than the others are."""
    links = pd.read_csv(given.data / "exercises" / "links.csv").query("relation == 'uses'")
    texts = [Source(f"object {one}", text=one) for one in IMAGENETS]
    near = images @ encoded.vectors("text", "open_clip_text", texts, model=model).T
    rows = {}
    for column, one in enumerate(IMAGENETS):
        users = set(links[links.target == f"equipment:{one}"].source.str.removeprefix("exercise:"))
        uses, scores, groups = np.repeat([name in users for name in names], 2), near[:, column], np.repeat(names, 2)
        if 0 < uses.sum() < len(uses):
            auc = functools.partial(_auc, uses, scores)
            spread = interval(groups, auc, given.seed, min(given.draws, 500))
            rows[one] = {"auc": auc(np.arange(len(uses))), "auc_95": spread, "photos": int(uses.sum())}
    return rows


def _auc(truth, scores, rows):
    """A draw without one of both says nothing: a half."""
    return float(roc_auc_score(truth[rows], scores[rows])) if 0 < truth[rows].sum() < len(rows) else 0.5


def measured(given):
    with tempfile.TemporaryDirectory() as folder:
        encoded = Encoded(given.store or Path(folder) / "store")
        model = stand_in(Path(folder) / "openclip_standin", given.weights)
        found = {"similarities": similarities(encoded), "digits": digits(encoded, given)}
        found |= {"categories": categories(encoded, given), "retrieval": retrieval(encoded, given, model)}
        versions = {name: importlib.metadata.version(name) for name in PACKAGES}
        return {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "command": "python benchmarks/encoders.py" + (" --quick" if given.quick else ""),
            "seed": given.seed,
            "bootstrap_draws": given.draws,
            "versions": {"python": platform.python_version(), **versions},
            "encoders": encoded.cards,
            **found,
        }


def dot(number):
    return f"{number:.3f}".replace("0.", ".", 1) if abs(number) < 1 else f"{number:.3f}"


def ranged(row, name):
    low_high = row.get(f"{name}_95")
    return dot(row[name]) + (f" ({dot(low_high[0])} to {dot(low_high[1])})" if low_high else "") if name in row else ""


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def probes(title, found):
    rows = [(name, ranged(row, "accuracy"), ranged(row, "balanced")) for name, row in found.items()]
    return [title, "", *table(("", "accuracy", "mean over classes"), rows)]


def page(found):
    """The results as Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    near, hits = found["similarities"], found["retrieval"]
    first = found["digits"]["YAMNet, linear probe"]
    second = found["categories"]["MobileNetV2, linear probe"]
    pairs = [(row["a"], row["b"], dot(row["stated"]), dot(row["found"])) for row in near["pairs"]]
    how = [
        (name, ranged(row, "recall@1"), ranged(row, "recall@10"))
        for name, row in hits.items()
        if isinstance(row, dict) and "recall@1" in row
    ]
    seen = [(name, ranged(row, "auc"), str(row["photos"])) for name, row in hits["objects"].items()]
    return "\n".join(
        [
            "# What the encoders know",
            "",
            f"`{found['command']}`, {found['date']}, seed {found['seed']}; {versions}. Intervals: 95 %, {found['bootstrap_draws']} "
            "bootstrap draws over groups (speakers, exercises). All vectors come through the settings' own path: choose, decode, "
            "encode, store.",
            "",
            f"## all-MiniLM-L6-v2: cosines stated in sentence-transformers' documentation (largest difference "
            f"{near['largest_difference']:.4f})",
            "",
            *table(("a text", "another", "stated", "found"), pairs),
            *probes(
                f"## Spoken digits: {first['n']} recordings of {first['groups']} speakers, each judged by a probe that never heard "
                "that speaker; six speakers are few, so the intervals are rough",
                found["digits"],
            ),
            *probes(
                f"## Exercises: category of {second['n']} photos of {second['groups']} exercises, five folds, the two photos of an "
                "exercise on one side (rooms and people may be shared between exercises, and either probe may use them)",
                found["categories"],
            ),
            f"## Exercises: text to photo by the CLIP stand-in, {hits['queries']} texts among {hits['photos']} photos; a hit is one "
            "of the two photos of the exercise among the first k",
            "",
            *table(("", "recall@1", "recall@10"), how),
            "The stand-in knows the classes of ImageNet only, and exercises are none of them: where these figures are those of chance, it "
            "tells no exercise from another. That text and photo do lie in one space shows with the two pieces of equipment that "
            "are such classes: how often a photo of an exercise that uses it is nearer to its name than one that does not.",
            "",
            *table(("", "area under the curve (chance .500)", "photos"), seen),
        ]
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent / "shared" / "data")
    parser.add_argument("--weights", type=Path, default=HERE.parent / "shared" / "weights")
    parser.add_argument("--out", type=Path, default=HERE / "benchmarks" / "results")
    parser.add_argument("--store", type=Path, help="keeps the vectors, so that the next run goes on with them")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--quick", action="store_true", help="a few files of each, for a test")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    found = measured(given)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "encoders.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (given.out / "encoders.md").write_text(page(found), encoding="utf-8")
    print(page(found))


if __name__ == "__main__":
    main()
