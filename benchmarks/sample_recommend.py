"""The sample corpus: videos and music for its users, with and without what they look and sound like; cold videos from their media alone.

python benchmarks/sample_recommend.py [--root data/recommend] [--arms videos,...] [--quick] [--out benchmarks/results/sample_recommend]

The corpus is that of ``mmgraph sample DIR --listening`` (written where it is not there), its encoders those of configs/video.yaml, the
network and its task those of configs/recommend.yaml; lists are 10 long. An arm holds out links of what it asks: some of each user's, or all
links of some videos, which nobody has then watched. Without modalities, vectors are taken away from all kinds, and items are known by their
links and ids. From media alone, a cold video has its own vectors and its segments, and neither music nor stills nor texts. Epoch and
combination are chosen by NDCG@10 on validation; the test is read once an arm. Intervals draw users again, differences are paired.
"""

import argparse
import dataclasses
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

import numpy as np
from arms import write_arms
from msgspec.structs import replace

from mmgraph import registry
from mmgraph.configuration import load
from mmgraph.corpus import make
from mmgraph.evaluate.bootstrap import Statistic, draws, interval
from mmgraph.evaluate.contract import OURS
from mmgraph.evaluate.evaluate import fit_recommend_baselines
from mmgraph.evaluate.evidence import combine_links
from mmgraph.evaluate.prepared import of_links
from mmgraph.evaluate.recommend.evaluate import evaluate_recommendations, held_out, of_users, recommended
from mmgraph.evaluate.recommend.groups import COLD
from mmgraph.evaluate.recommend.question import RecommendQuestion
from mmgraph.ingest import features, read
from mmgraph.model.train import train
from mmgraph.pipeline import assemble, built, divide
from mmgraph.settings import Component, normal

HERE = Path(__file__).resolve().parent
AT = 10
SEED_OF_DRAWS = 7
METRICS = (f"recall@{AT}", f"ndcg@{AT}")
OWN = ("watched", "contains", "follows")  # what a video has by itself, and who watched it


@dataclass(frozen=True)
class Arm:
    """asked: the relation; cold: whole videos are held out; modalities: whether there are vectors; names: of relations, all if empty."""

    asked: str
    cold: bool = False
    modalities: bool = True
    names: tuple[str, ...] = ()


ARMS = {
    "videos": Arm("user/watched/video"),
    "videos, no modalities": Arm("user/watched/video", modalities=False),
    "music": Arm("user/listens/music"),
    "music, no modalities": Arm("user/listens/music", modalities=False),
    "cold videos": Arm("user/watched/video", cold=True),
    "cold videos, media alone": Arm("user/watched/video", cold=True, names=OWN),
    "cold videos, no modalities": Arm("user/watched/video", cold=True, modalities=False),
}
PAIRS = {
    "videos": "videos, no modalities",
    "music": "music, no modalities",
    "cold videos": "cold videos, no modalities",
    "cold videos, media alone": "cold videos, no modalities",
}


def settings_of(options):
    """The two configurations as one."""
    here = HERE.parent / "configs"
    words = ["--catalogue.root", str(options.root), "--run.seed", str(options.seed), "--trainer.accelerator", "cpu"]
    words += ["--trainer.max_epochs", "2", "--evaluate.bootstrap", "20"] if options.quick else []
    encoding, asking = load(here / "video.yaml", words), load(here / "recommend.yaml", words)
    encoders = replace(encoding.encoders, store=options.store, offline=True)
    model = replace(asking.model, batches=replace(asking.model.batches, size=512))
    return replace(
        asking, catalogue=encoding.catalogue, media=encoding.media, encoders=encoders, graph=encoding.graph, model=model
    )


def of_arm(settings, arm):
    """Warm items are known by their ids as well; a cold one has an id that nothing was learnt of."""
    held_out = (
        {"method": "cold", "valid": 0.15, "test": 0.25} if arm.cold else {"method": "per_user", "valid": 0.1, "test": 0.2}
    )
    split = replace(settings.split, links=replace(settings.split.links, **held_out))
    model = replace(settings.model, id_embedding="auto" if arm.cold else "all")
    (task,) = settings.tasks
    asked = Component(class_path="Recommend", init_args={**normal(task).init_args, "relation": arm.asked, "at": AT})
    return replace(settings, split=split, model=model, tasks=(asked,))


def seen_by(graph, arm):
    """What of the graph the arm has."""
    edges = {r: one for r, one in graph.edges.items() if not arm.names or r.name in arm.names}
    return dataclasses.replace(graph, edges=edges, features=graph.features if arm.modalities else {})


def answered(settings, graph):
    """(question, methods in the order of the table, what chose, CPU seconds of training) of an arm."""
    started, seed = time.process_time(), settings.run.seed
    tasks = [registry.create("task", task) for task in settings.tasks]
    split = divide(settings, graph, tasks)
    module, data = built(settings, split, tasks, {})
    with tempfile.TemporaryDirectory() as folder:
        made = train(module, data, settings.trainer, Path(folder) / "checkpoints", settings.model)
    spent, (one,) = time.process_time() - started, made.heads
    question = RecommendQuestion(split.visible, split.links[one.head.relation], seed, at=AT)
    methods = [of_links(one.head, one.embeddings), *fit_recommend_baselines(question, settings.evaluate.baselines)]
    ours, evidence = combine_links(question, methods, settings.evaluate, seed)
    return question, [ours, *methods], evidence, round(spent, 1)


def of_test_users(question, methods, settings):
    """(users, method -> metric -> a number a user)."""
    _, (_, edges, known) = held_out(question)
    made = recommended(question, methods, edges, known, settings)
    return made[0].lists.users, {one.method: dict(of_users(one.lists, question, edges, [AT])) for one in made}


def minus(one, other, settings):
    """Metric -> (difference, low, high) of two methods, paired by user."""
    found = {}
    for metric in METRICS:
        gap = one[metric] - other[metric]
        drawn = draws([Statistic(np.stack((gap, np.ones(len(gap))), 1))], settings.bootstrap, SEED_OF_DRAWS)[0]
        found[metric] = (float(gap.mean()), *interval(drawn, settings.level))
    return found


class Bench:
    """The arms of one corpus; users: arm -> (users, method -> metric -> a number a user)."""

    def __init__(self, settings, graph):
        self.settings, self.graph, self.users = settings, graph, {}

    def arm(self, name):
        """Everything of one arm, as it is written."""
        settings = of_arm(self.settings, ARMS[name])
        question, methods, evidence, spent = answered(settings, seen_by(self.graph, ARMS[name]))
        rows, verdict = evaluate_recommendations(question, methods, settings.evaluate)
        users, each = self.users[name] = of_test_users(question, methods, settings.evaluate)
        best = max((m.name for m in methods[2:]), key=lambda m: each[m][METRICS[1]].mean())
        wanted = [asdict(row) for row in rows if row.metric in METRICS and row.split == "test" and row.group in ("", COLD)]
        compared = {"best baseline on test": best, **{m: minus(each[m], each[best], settings.evaluate) for m in (OURS, "gnn")}}
        return {
            "rows": wanted,
            "n": len(users),
            "verdict": verdict.text,
            "chosen": evidence.chosen,
            "minus": compared,
            "trained_s": spent,
        }

    def worth(self):
        """What modalities add: mmgraph and the gnn with them minus without, on the same held-out links."""
        found = {}
        for name, other in PAIRS.items():
            if name in self.users and other in self.users:
                (users, one), (same, two) = self.users[name], self.users[other]
                np.testing.assert_array_equal(users, same)
                found[f"{name} minus {other}"] = {m: minus(one[m], two[m], self.settings.evaluate) for m in (OURS, "gnn")}
        return found


def table(head, rows):
    """Lines of a Markdown table."""
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


def cell(rows, method, metric):
    """A figure with its interval."""
    for row in rows:
        if (row["method"], row["metric"], row["group"]) == (method, metric, ""):
            return f"{row['value']:.3f}" + (f" ({row['low']:.3f}–{row['high']:.3f})" if row["low"] is not None else "")
    return "–"


def shown(of):
    """Differences of both metrics."""
    return ["{:+.3f} ({:+.3f} to {:+.3f})".format(*of[metric]) for metric in METRICS]


def of_methods(name, one):
    """An arm's section."""
    value = {row["method"]: row["value"] for row in one["rows"] if (row["metric"], row["group"]) == (METRICS[1], "")}
    best = sorted((method for method in value if value[method]), key=lambda m: (m != OURS, m != "gnn", -value[m]))
    never = ", ".join(sorted(set(value) - set(best)))
    rows = [[method, *(cell(one["rows"], method, metric) for metric in METRICS)] for method in best]
    against = one["minus"]["best baseline on test"]
    told = [[f"{who} minus {against}", *shown(one["minus"][who])] for who in (OURS, "gnn")]
    lines = [f"## {name}", "", *table(["method", f"recall@{AT}", f"NDCG@{AT}"], [*rows, *told])]
    lines += ["", f"Nothing of what is held out is ever listed by {never}."] if never else []
    return [*lines, "", f"{one['verdict']}. Users: {one['n']}; training took {one['trained_s']:.0f} CPU s.", ""]


def page(found):
    """The results as Markdown."""
    said = f"{found['written']}; seed {found['seed']}; encoders: {found['encoders']}."
    lines = [
        "# Videos and music for the users of the sample corpus",
        "",
        f"Written by `python benchmarks/sample_recommend.py`, {said}",
        "",
    ]
    for name, one in found["arms"].items():
        lines += of_methods(name, one)
    if found["worth"]:
        rows = [[f"{pair}: {who}", *shown(of[who])] for pair, of in found["worth"].items() for who in (OURS, "gnn")]
        lines += ["## What modalities add", "", *table(["difference", f"recall@{AT}", f"NDCG@{AT}"], rows), ""]
    return "\n".join(lines)


def arguments():
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path("data/recommend"))
    parser.add_argument("--store", type=Path, default=Path("runs/store"))
    parser.add_argument("--arms", type=lambda text: text.split(";"), default=list(ARMS), help="with ; between them")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "sample_recommend")
    return parser.parse_args()


def main():
    """Every arm, written as soon as it is done."""
    options = arguments()
    make(options.root, listening=True)
    settings = settings_of(options)
    catalogue, content = read(settings)
    collected = features(settings, catalogue, content)
    bench = Bench(settings, assemble(settings, catalogue, collected, content))
    encoders = ", ".join(one["card"]["name"] for one in collected.encoders.values())
    written = datetime.now(UTC).strftime("%Y-%m-%d")
    found = {"seed": options.seed, "written": written, "encoders": encoders, "arms": {}, "worth": {}}
    write_arms(found, bench, options.arms, "verdict", page, options.out)


if __name__ == "__main__":
    main()
