"""Who listens to what (lastfm, its own split): mmgraph's default beside EASE, item-kNN, iALS and PyG's LightGCN; friends, tags, knowledge.

python benchmarks/lastfm.py [--root ../shared/data/lastfm] [--arms all,"no friends",...] [--quick] [--out benchmarks/results/lastfm]

Every method ranks all artists but those that the user has in train (and, in the test, in validation), and chooses its epoch and settings
by NDCG@20 on validation alone; the test is read once, at the end. Intervals draw users again (1000 times), differences are paired. An arm
takes relations away from what may be seen, and trains and combines anew; what reads the plays alone is fitted once. PyG's LightGCN and
what it is told are in ``pyg_light_gcn.py``; iALS is by ``implicit``.
"""

import argparse
import os
import tempfile
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

import msgspec
import numpy as np
from arms import write_arms
from pyg_light_gcn import Peer

from mmgraph import registry
from mmgraph.configuration import load
from mmgraph.evaluate.bootstrap import Statistic, draws, interval
from mmgraph.evaluate.contract import OURS
from mmgraph.evaluate.evaluate import fit_recommend_baselines
from mmgraph.evaluate.evidence import combine_links
from mmgraph.evaluate.prepared import of_links
from mmgraph.evaluate.recommend.evaluate import evaluate_recommendations, held_out, of_users, recommended
from mmgraph.evaluate.recommend.groups import cold_items
from mmgraph.evaluate.recommend.question import RecommendQuestion
from mmgraph.evaluate.verdict import with_carrier
from mmgraph.ingest import features, read
from mmgraph.model.train import train
from mmgraph.pipeline import assemble, built, divide
from mmgraph.types import Relation

HERE = Path(__file__).resolve().parent
ASKED = Relation.parse("user/listens/artist")
PLAYS, FRIENDS, TAGS = "listens", "friend_of", "has_tag"
ARMS = {
    "all": lambda _: True,
    "no friends": lambda name: name != FRIENDS,
    "no tags": lambda name: name != TAGS,
    "no knowledge": lambda name: name in (PLAYS, FRIENDS, TAGS),
    "plays alone": lambda name: name == PLAYS,
}
OF_PLAYS = ("ease", "item_knn", "ials", "slim", "popularity", "similar_users")
OF_GRAPH = ("content_knn",)
METRICS = ("recall@20", "ndcg@20")


@dataclass
class Bench:
    """What all arms share. whole: the graph of the arm ``all``; per_user: arm -> method -> metric -> a number a test user."""

    settings: Any
    whole: Any
    options: argparse.Namespace
    of_plays: list = field(default_factory=list)
    per_user: dict = field(default_factory=dict)

    def baselines(self, question):
        """Those that read the plays alone are fitted in the first arm, and serve all."""
        asked = self.settings.evaluate.baselines
        first, second = ([name for name in known if asked == "all" or name in asked] for known in (OF_PLAYS, OF_GRAPH))
        if not self.of_plays:
            self.of_plays = fit_recommend_baselines(question, first)
        return [*self.of_plays, *fit_recommend_baselines(question, second)]

    def arm(self, name):
        """Everything of one arm, as it is written: of the first every method, of the others mmgraph and the network alone."""
        question, network, trained_s = self.trained(name)
        methods = [network, *self.baselines(question)]
        ours, evidence = combine_links(question, methods, self.settings.evaluate, self.settings.run.seed)
        found = {"evidence": asdict(evidence), "trained_s": trained_s}
        if name == "all":
            found |= self.first(question, ours, methods, evidence)
        else:
            self.per_user[name] = of_test_users(question, [ours, network], self.settings.evaluate)
        cold = among_cold(question, [ours, network], self.settings.evaluate)
        of_all = {method: {metric: self.mean(of[metric]) for metric in METRICS} for method, of in self.per_user[name].items()}
        return found | {"test": of_all, "cold": {method: self.mean(of) for method, of in cold.items()}}

    def first(self, question, ours, methods, evidence):
        """Every method, measured and compared."""
        told, peers = self.peer(question)
        compared = [ours, *methods, *peers]
        rows, verdict = evaluate_recommendations(question, compared, self.settings.evaluate)
        self.per_user["all"] = of_test_users(question, compared, self.settings.evaluate)
        return {
            "rows": [asdict(row) for row in rows if row.metric in (*METRICS, "coverage@20")],
            "verdict": with_carrier(verdict, evidence.carried).text,
            "minus": {m.name: self.minus(("all", OURS), ("all", m.name)) for m in compared[1:]},
            "gnn minus": {m.name: self.minus(("all", "gnn"), ("all", m.name)) for m in compared[2:]},
            "peer": told,
        }

    def trained(self, name):
        """(question, the network as a method, CPU seconds of training)."""
        graph = self.whole.with_edges({r: e for r, e in self.whole.edges.items() if ARMS[name](r.name)})
        tasks = [registry.create("task", task) for task in self.settings.tasks]
        split = divide(self.settings, graph, tasks)
        module, data = built(self.settings, split, tasks, {})
        started = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            made = train(module, data, self.settings.trainer, Path(folder) / "checkpoints", self.settings.model)
        (one,) = made.heads
        question = RecommendQuestion(split.visible, split.links[ASKED], self.settings.run.seed, at=one.head.at)
        return question, of_links(one.head, one.embeddings), round(time.process_time() - started, 1)

    def peer(self, question):
        """What is told of PyG's LightGCN, and it."""
        if not self.options.peer:
            return None, []
        told, method = Peer(**({"epochs": 3} if self.options.quick else {})).fit(question, self.settings.run.seed)
        return told, [method]

    def minus(self, one, other):
        """Metric -> (difference, low, high) of two (arm, method), paired by test user."""
        first, second = (self.per_user[arm][method] for arm, method in (one, other))
        return {metric: self.mean(first[metric] - second[metric]) for metric in METRICS}

    def mean(self, values):
        """(mean, low, high) of a number a user."""
        drawn = draws(
            [Statistic(np.stack((values, np.ones(len(values))), 1))], self.settings.evaluate.bootstrap, self.settings.run.seed
        )
        return (float(values.mean()), *interval(drawn[0], self.settings.evaluate.level))

    def worth(self):
        """What each relation adds: the arm ``all`` minus each other arm that was run."""
        others = [name for name in self.per_user if name != "all" and "all" in self.per_user]
        return {name: {m: self.minus(("all", m), (name, m)) for m in (OURS, "gnn")} for name in others}


def of_test_users(question, methods, settings):
    """Method -> metric -> a number a test user, in order of the users."""
    _, (_, edges, known) = held_out(question)
    made = recommended(question, methods, edges, known, settings)
    return {one.method: of_users(one.lists, question, edges, [question.at]) for one in made}


def among_cold(question, methods, settings):
    """Method -> recall@20 of each test user who is to get an artist whom nobody has in train, among such artists alone."""
    _, (_, edges, known) = held_out(question)
    cold = cold_items(question)
    asked = edges[cold[question.split.edges.target[edges]]]
    if not len(asked):
        return {}
    made = recommended(question, methods, asked, known, settings, among=cold)
    return {one.method: of_users(one.lists, question, asked, [20])["recall@20"] for one in made}


def page(found):
    """The results as Markdown."""
    told = " ".join(["python benchmarks/lastfm.py", *found["settings"]])
    lines = [f"# lastfm: artists for users\n\nWritten by `{told}`, {found['written']}; seed {found['seed']}.", "", *about()]
    arms = found["arms"]
    if "all" in arms:
        lines += ["", *methods_table(arms["all"]["rows"]), "", arms["all"]["verdict"], ""]
        for who, key in (("mmgraph", "minus"), ("gnn", "gnn minus")):
            lines += [*differences_table(f"{who} minus", arms["all"][key]), ""]
        lines += [f"LightGCN (PyG): {arms['all']['peer']}."] if arms["all"]["peer"] else []
    lines += ["", *arms_table(arms)]
    for name, each in found.get("worth", {}).items():
        lines += ["", *differences_table(f"all minus {name}", each)]
    return "\n".join(lines) + "\n"


def about():
    """What was done, as the head of this file says it."""
    return __doc__.split("\n\n")[2].strip().splitlines()


def table(head, rows):
    """Lines of a Markdown table."""
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


def methods_table(rows):
    """Every method, mmgraph first, then the best first."""
    value = {
        row["method"]: row["value"] for row in rows if (row["split"], row["metric"], row["group"]) == ("test", "ndcg@20", "")
    }
    wanted = [(metric, "") for metric in (*METRICS, "coverage@20")]
    wanted += [("recall@20", "items=cold"), ("recall@20", "items=cold, among the cold")]
    head = ["method", "recall@20", "NDCG@20", "coverage@20", "recall@20 of cold artists", "among the cold"]
    best = sorted(value, key=lambda name: (name != OURS, -value[name]))
    return table(head, [[name, *(cell(rows, name, *one) for one in wanted)] for name in best])


def differences_table(title, each):
    """``each``: who -> metric -> (difference, low, high)."""
    rows = [[who, *("{:+.4f} ({:+.4f} to {:+.4f})".format(*of[metric]) for metric in METRICS)] for who, of in each.items()]
    return table([title, "recall@20", "NDCG@20"], rows)


def arms_table(arms):
    """mmgraph and the gnn of every arm."""
    head = ["arm", "mmgraph recall@20", "mmgraph NDCG@20", "gnn recall@20", "gnn NDCG@20"]
    head += ["mmgraph, cold among the cold: recall@20", "gnn", "chosen", "training, CPU s"]
    rows = []
    for name, one in arms.items():
        values = [one["test"][method][metric] for method in (OURS, "gnn") for metric in METRICS]
        values += [one["cold"].get(method) for method in (OURS, "gnn")]
        shown = ["–" if value is None else "{:.3f} ({:.3f}–{:.3f})".format(*value) for value in values]
        rows.append([name, *shown, one["evidence"]["chosen"], f"{one['trained_s']:.0f}"])
    return table(head, rows)


def cell(rows, method, metric, group=""):
    """A test figure with its interval, where there is one."""
    for row in rows:
        if (row["split"], row["method"], row["metric"], row["group"]) == ("test", method, metric, group):
            return f"{row['value']:.3f}" + (f" ({row['low']:.3f}–{row['high']:.3f})" if row["low"] is not None else "")
    return "–"


def prepared(options):
    """Settings and the whole graph; nothing is encoded, and nothing of the run is kept."""
    words = ["--catalogue.root", str(options.root), "--split.links.method", "given", "--run.seed", str(options.seed)]
    words += ["--trainer.accelerator", "cpu"]
    words += ["--trainer.max_epochs", "2", "--evaluate.bootstrap", "20"] if options.quick else []
    for key, _, value in (one.partition("=") for one in options.settings):
        words += [f"--{key}", value]
    settings = load(HERE.parent / "configs" / "recommend.yaml", words)
    with tempfile.TemporaryDirectory() as folder:
        encoders = msgspec.structs.replace(settings.encoders, store=Path(folder))
        settings = msgspec.structs.replace(settings, encoders=encoders)
        catalogue, content = read(settings)
        return settings, assemble(settings, catalogue, features(settings, catalogue, content), content)


def arguments():
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=HERE.parent.parent / "shared" / "data" / "lastfm")
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--peer", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "lastfm")
    parser.add_argument("settings", nargs="*", help="key=value of the configuration, as model.width=32")
    return parser.parse_args()


def main():
    """Every arm, written as soon as it is done."""
    options = arguments()
    settings, whole = prepared(options)
    bench = Bench(settings, whole, options)
    written = datetime.now(UTC).strftime("%Y-%m-%d")
    found = {"seed": options.seed, "written": written, "settings": options.settings, "arms": {}}
    write_arms(found, bench, options.arms.split(","), "test", page, options.out)


if __name__ == "__main__":
    main()
