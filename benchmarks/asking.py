"""Rounds of asking for labels beside rounds of labelling at random: categories of the sample corpus, over seeds.

python benchmarks/asking.py [--root data/sample] [--store FOLDER] [--seeds 10] [--rounds 5] [--n 8]
    [--strategies random,uncertain,badge,core_set,typical] [--out benchmarks/results/asking]

Every seed has its own split: three labels a class are trained on, validation chooses the epoch and what is handed out, and of the
videos that would be test half are the pool: nobody knows their labels until they are asked for. The other half is test and stays so.
A round is what ``mmgraph ask`` and ``mmgraph update`` do, with answers that are true: the strategy sees what the run hands out and the
vectors of its network, and training goes on from the round before. All strategies begin with the same model. ``anew`` is a fit from
nothing with the labels of the last round of uncertain. ``--plain N``: also N seeds of a logistic regression on vectors that are spread over
the links, which takes seconds. What was found is added to ``OUT.json``: seeds and strategies may
be run in several calls. ``--keep FILE``: write these vectors for the test, and do nothing else.
"""

import argparse
import json
import os
import platform
import tempfile
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

import msgspec
import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from mmgraph import registry
from mmgraph.configuration import load
from mmgraph.evaluate.answers import answer
from mmgraph.evaluate.asking import AskQuestion
from mmgraph.evaluate.baselines.classes import table as table_of
from mmgraph.evaluate.baselines.labels.smoothed_regression import heard_by
from mmgraph.evaluate.baselines.smoothing import symmetric
from mmgraph.evaluate.baselines.union import Union
from mmgraph.evaluate.contract import OURS
from mmgraph.evaluate.gnn import GNN
from mmgraph.evaluate.labels_again import Labelled
from mmgraph.graph.contract import Features
from mmgraph.ingest import features, read
from mmgraph.labelling import ask_question
from mmgraph.model.train import train
from mmgraph.pipeline import assemble, built, divide
from mmgraph.split.answered import hidden_labels, shown_more
from mmgraph.split.chance import generator
from mmgraph.split.label_groups import label_groups
from mmgraph.split.unlabelled import unlabelled, with_held_out
from mmgraph.updating import Going, train_on

HERE = Path(__file__).resolve().parent
CONFIG = HERE.parent / "configs" / "video.yaml"
TARGET = "segment.category"
TASKS = "[{class_path: Categories, init_args: {field: category, kind: segment}}]"
WEIGHT_FREE = ("image_statistics", "sound_statistics", "minilm_wheel")
METHODS = (OURS, GNN)
STRATEGIES = ("random", "uncertain", "badge", "core_set", "typical")


def with_pool(graph, split, target, group, seed, share=0.5):
    """The split with the labels of ``share`` of the test groups hidden, and the true class of every item."""
    one = split.labels[target]
    of = label_groups(graph, one.labels.kind, group)
    groups = generator(seed, "pool").permutation(np.unique(of[one.test]))
    pool = np.isin(of, groups[: round(share * len(groups))])
    return hidden_labels(split, target, pool), one.labels.values


class Model:
    """What a round begins with: a trained model, its split, and what it says."""

    def __init__(self, settings, tasks, tops, split, trained, folder):
        self.settings, self.tasks, self.tops, self.split, self.folder = settings, tasks, tops, split, folder
        measured = msgspec.structs.replace(settings.evaluate, bootstrap=0)
        self.answers = answer(trained, split, measured, settings.run.seed)
        (head,) = [one for one in trained.heads if one.head.name == self.answers.labels[0].question.split.labels.target]
        vectors = head.head.vectors(head.embeddings).detach().float().numpy()
        self.labelled = Labelled(self.answers.labels[0], vectors)

    @property
    def accuracy(self):
        """Of each method on the test items."""
        return {
            row.method: row.value
            for row in self.answers.rows
            if (row.split, row.metric, row.group) == ("test", "accuracy", "") and row.method in METHODS
        }

    def asked(self, graph, strategy, n):
        """Positions of the items to label next."""
        one, group = self.labelled.answer.question.split, self.settings.split.labels.group
        items = unlabelled(one)
        items = items[~with_held_out(graph, one, group)[items]]
        question = ask_question(graph, self.labelled, items, group)
        return items[registry.create("strategy", strategy).pick(question, n, self.settings.run.seed)]

    def updated(self, items, truth, number, epochs):
        """The model of the next round."""
        target = self.labelled.answer.question.split.labels.target
        split = shown_more(self.split, target, items, truth[items])
        going = Going(self.settings, self.tasks, self.tops, self.folder, {target})
        folder = Path(tempfile.mkdtemp(dir=self.folder.parent))
        trained, _ = train_on(going, split, folder, number, epochs)
        return Model(self.settings, self.tasks, self.tops, split, trained, folder)


def fitted(settings, split, tasks, tops, folder):
    """A model from nothing."""
    module, data = built(settings, split, tasks, tops)
    return Model(settings, tasks, tops, split, train(module, data, settings.trainer, folder, settings.model), folder)


def simulated(graph, first, truth, strategy, rounds, n, epochs):
    """Of every round, the first model included, the accuracies; and the last model."""
    model, found = first, [first.accuracy]
    for number in range(1, rounds + 1):
        model = model.updated(model.asked(graph, strategy, n), truth, number, epochs)
        found.append(model.accuracy)
    return found, model


def measured(settings, graph, tops, given, strategies):
    """{strategy: [accuracies of each round]} of one seed."""
    tasks = [registry.create("task", task) for task in settings.tasks]
    split = divide(settings, graph, tasks)
    split, truth = with_pool(graph, split, TARGET, settings.split.labels.group, settings.run.seed)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        first = fitted(settings, split, tasks, tops, Path(folder) / "first")
        seconds = {"fit": time.perf_counter() - start}
        for strategy in strategies:
            start = time.perf_counter()
            found[strategy], last = simulated(graph, first, truth, strategy, given.rounds, given.n, given.epochs)
            seconds[strategy] = (time.perf_counter() - start) / given.rounds
            if strategy == "uncertain" and given.anew:
                found["anew"] = [fitted(settings, last.split, tasks, tops, Path(folder) / "anew").accuracy]
    return {"accuracy": found, "seconds": seconds, "test": len(split.labels[TARGET].test)}


def spread_vectors(graph, kind, width=32):
    """What a kind's items and all that is around them are like: the vectors that SmoothedRegression reads after two steps over the links,
    each component scaled, in their ``width`` main directions: float32 [items, width]. Labels and splits have no part in it.
    """
    union, rows = Union.of(graph), np.concatenate(heard_by(graph, kind), axis=1)
    normal = symmetric(union, loops=True)
    own = (normal @ (normal @ rows))[union.nodes(kind)].astype(np.float32)
    columns = table_of([Features(own, np.ones(len(own), bool))])
    left, size, _ = np.linalg.svd(columns, full_matrices=False)
    vectors = (left * size)[:, :width]
    return (vectors / vectors.std()).astype(np.float32)


def keep(graph, path):
    """Write what the rounds of a regression need of the corpus, for the test of them: tens of kilobytes."""
    np.savez_compressed(
        path,
        vectors=spread_vectors(graph, "segment").astype(np.float16),
        video=graph.parent["segment"].astype(np.int16),
        category=graph.labels["segment", "category"].values.astype(np.int8),
        names=np.array([Path(str(name)).stem for name in graph.ids["video"]]),
    )


@threadpool_limits.wrap(1)  # two threads are slower on so few rows
def rounds_of_regression(graph, split, truth, vectors, strategy, rounds, n, seed):
    """Test accuracy after each round of a logistic regression fitted anew on ``vectors``, which are also those of the question."""
    kind = split.labels[TARGET].labels.kind
    group, found = label_groups(graph, kind, "parent"), []
    for number in range(rounds + 1):
        one = split.labels[TARGET]
        model = LogisticRegression(C=0.1, max_iter=200).fit(vectors[one.train], truth[one.train])
        found.append(float(model.score(vectors[one.test], truth[one.test])))
        if number < rounds:
            items = unlabelled(one)
            items = items[~with_held_out(graph, one, "parent")[items]]
            p = model.predict_proba(vectors[items]).astype(np.float32)
            question = AskQuestion(p, vectors[items], vectors[one.train], group[items])
            picked = items[registry.create("strategy", strategy).pick(question, n, seed)]
            split = shown_more(split, TARGET, picked, truth[picked])
    return found


def plainly(settings, graph, given, seeds):
    """{seed: {"accuracy": {strategy: [{"regression": accuracy}, ...]}}}, as ``table`` takes it."""
    tasks, vectors, found = [registry.create("task", one) for one in settings.tasks], spread_vectors(graph, "segment"), {}
    for seed in range(1, seeds + 1):
        own = msgspec.structs.replace(settings, run=msgspec.structs.replace(settings.run, seed=seed))
        split, truth = with_pool(graph, divide(own, graph, tasks), TARGET, "parent", seed)
        words = (graph, split, truth, vectors)
        found[seed] = {
            "accuracy": {
                name: [{"regression": one} for one in rounds_of_regression(*words, name, given.rounds, given.n, seed)]
                for name in STRATEGIES
            }
        }
    return found


def interval(values, level=0.95, resamples=10_000):
    """Of the mean, by a bootstrap over seeds."""
    values = np.asarray(values)
    drawn = values[np.random.default_rng(7).integers(len(values), size=(resamples, len(values)))].mean(1)
    return np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])


def table(found, method):
    """Markdown: accuracy by round, and the paired difference to random picking after the last, with its interval over seeds."""
    by_seed = [one["accuracy"] for one in found.values()]
    rounds = len(by_seed[0]["random"])
    names = [name for name in by_seed[0] if name != "anew" and all(name in one for one in by_seed)]
    lines = [
        "| strategy | " + " | ".join(f"round {i}" for i in range(rounds)) + " | minus random, last round | mean of rounds |"
    ]
    lines.append("|---" * (rounds + 3) + "|")
    for name in names:
        values = np.array([[one[method] for one in each[name]] for each in by_seed])
        other = np.array([[one[method] for one in each["random"]] for each in by_seed])
        cells = [f"{100 * value:.1f}" for value in values.mean(0)]
        for apart in ((values - other)[:, -1], (values - other)[:, 1:].mean(1)):
            low, high = interval(apart)
            cells.append("" if name == "random" else f"{100 * apart.mean():+.1f} ({100 * low:+.1f} to {100 * high:+.1f})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("data/sample"))
    parser.add_argument("--store", type=Path, default=Path("runs/store"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--n", type=int, default=8, help="labels a round, as many as there are classes")
    parser.add_argument("--epochs", type=int, default=50, help="of an update, a quarter of a fit's")
    parser.add_argument("--strategies", default="random,uncertain,badge,core_set,typical")
    parser.add_argument("--anew", action="store_true", help="also fit from nothing with the labels of uncertain")
    parser.add_argument("--plain", type=int, default=0, help="seeds of the regression")
    parser.add_argument("--keep", type=Path, help="write the vectors of the regression, and end")
    parser.add_argument("--seconds", type=float, default=1e9, help="no seed begins after that")
    parser.add_argument("--set", nargs="*", default=[], help="further settings, --section.key=value without the dashes")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "asking")
    return parser.parse_args()


def made(given):
    """The settings, the graph with the vectors of its encoders, and what is stored of those that can be trained."""
    names = dict(zip(("image", "audio", "text"), WEIGHT_FREE, strict=True))
    words = [f"--encoders.{modality}=[{name}]" for modality, name in names.items()]
    words += [f"--catalogue.root={given.root}", f"--encoders.store={given.store}", f"--tasks={TASKS}"]
    words += ["--trainer.accelerator=cpu", *(f"--{one}" for one in given.set)]
    settings = load(CONFIG, words)
    catalogue, content = read(settings)
    collected = features(settings, catalogue, content)
    return settings, assemble(settings, catalogue, collected, content), collected.tops


def seeds_of(given, settings, graph, tops):
    """What each seed gave, with those of earlier calls; written after each."""
    path, until = given.out.with_suffix(".json"), time.monotonic() + given.seconds
    found = json.loads(path.read_text()) if path.exists() else {}
    for seed in range(given.first, given.first + given.seeds):
        before = found.get(str(seed), {"accuracy": {}, "seconds": {}})
        lacking = [name for name in given.strategies.split(",") if name not in before["accuracy"]]
        if not lacking or time.monotonic() > until:
            continue
        own = msgspec.structs.replace(settings, run=msgspec.structs.replace(settings.run, seed=seed))
        one = measured(own, graph, tops, given, lacking)
        found[str(seed)] = one | {key: {**before[key], **one[key]} for key in ("accuracy", "seconds")}
        path.write_text(json.dumps(found, indent=1))
        print(seed, json.dumps(found[str(seed)]["seconds"]), flush=True)
        print({name: [round(x[OURS], 3) for x in one] for name, one in found[str(seed)]["accuracy"].items()}, flush=True)
    return found


def page(given, found, plain):
    """Head, and a table of each way to answer; plain: what the seeds of the regression gave, if any."""
    where = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    head = f"# Asking for labels\n\n`python benchmarks/asking.py`, {where}, {datetime.now(tz=UTC).date().isoformat()}.\n"
    told = f"{len(found)} seeds, {given.n} labels a round, updates of at most {given.epochs} epochs"
    told += f"; settings: {', '.join(given.set) or 'those of configs/video.yaml'}.\n"
    names = {OURS: "What is handed out", GNN: "The network alone"}
    parts = [f"## {names[method]}\n\n{table(found, method)}\n" for method in METHODS]
    if plain:
        title = f"## A logistic regression on vectors spread over the links, {given.plain} seeds"
        parts.append(f"{title}\n\n{table(plain, 'regression')}\n")
    return "\n".join([head, told, *parts])


def main():
    """The seeds with the network, then those of the regression, and the page."""
    given = arguments()
    warnings.simplefilter("ignore")
    settings, graph, tops = made(given)
    if given.keep:
        keep(graph, given.keep)
        return
    found = seeds_of(given, settings, graph, tops)
    plain = plainly(settings, graph, given, given.plain) if given.plain else None
    given.out.with_suffix(".md").write_text(page(given, found, plain))
    print(given.out.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
