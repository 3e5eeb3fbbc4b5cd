"""Who listens to what (lastfm, its own split): mmgraph's default beside EASE, item-kNN, iALS and PyG's LightGCN; friends, tags, knowledge.

python benchmarks/lastfm.py [--root ../shared/data/lastfm] [--arms all,"no friends",...] [--quick] [--out benchmarks/results/lastfm]

Every method ranks all artists but those that the user has in train (and, in the test, in validation), and chooses its epoch and settings
by NDCG@20 on validation alone; the test is read once, at the end. Intervals draw users again (1000 times), differences are paired. An arm
takes relations away from what may be seen, and fits everything again. LightGCN by ``torch_geometric.nn.LGConv`` (extra ``bench``): width
64, 3 layers, BPR, L2, the learning rate of two that validation likes; it sees the plays alone, as published. iALS by ``implicit``.
"""

import argparse
import json
import os
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

import numpy as np
import torch

from mmgraph import registry
from mmgraph.configuration import load
from mmgraph.evaluate.bootstrap import Statistic, draws, interval
from mmgraph.evaluate.contract import OURS
from mmgraph.evaluate.evaluate import fit_recommend_baselines
from mmgraph.evaluate.evidence import combine_links
from mmgraph.evaluate.gnn import EmbeddingLinks
from mmgraph.evaluate.prepared import of_links
from mmgraph.evaluate.recommend.evaluate import evaluate_recommendations, held_out, of_users, recommended
from mmgraph.evaluate.recommend.question import RecommendQuestion
from mmgraph.evaluate.worth import worth
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
RIVALS = ("ease", "item_knn", "popularity", "ials", "slim", "lightgcn (PyG)", "gnn")
METRICS = ("recall@20", "ndcg@20")


def light_gcn(question, seed, epochs, rates=(0.005, 0.02), width=64, depth=3, batch=8192, decay=1e-4, every=3, patience=5):
    """PyG's layers on the plays that may be seen, as a method; the learning rate and the epoch are those that validation likes."""
    best = (-1.0, None, None)
    for rate in rates:
        for value, told, method in _trained(question, seed, epochs, rate, width, depth, batch, decay, every, patience):
            if value > best[0]:
                best = value, told, method
    return best


def _trained(question, seed, epochs, rate, width, depth, batch, decay, every, patience):
    from torch_geometric.nn import LGConv

    torch.manual_seed(seed)
    users, items, seen = question.count("source"), question.count("target"), question.visible
    source, target = torch.from_numpy(seen.source), torch.from_numpy(seen.target)
    edges = torch.cat((torch.stack((source, target + users)), torch.stack((target + users, source))), 1)
    table = torch.nn.Embedding(users + items, width)
    torch.nn.init.normal_(table.weight, std=0.1)
    layers, optimizer = [LGConv() for _ in range(depth)], torch.optim.Adam(table.parameters(), lr=rate)
    valid, best, since = question.split.valid, 0.0, 0

    def propagated():
        rows = [table.weight]
        for layer in layers:
            rows.append(layer(rows[-1], edges))
        return torch.stack(rows).mean(0)

    for epoch in range(1, epochs + 1):
        for part in torch.randperm(len(source)).split(batch):
            rows, negative = propagated(), torch.randint(items, (len(part),)) + users
            u, p = source[part], target[part] + users
            score = (rows[u] * (rows[p] - rows[negative])).sum(1)
            penalty = sum(table.weight[one].square().sum() for one in (u, p, negative)) / len(part) / 2
            loss = torch.nn.functional.softplus(-score).mean() + decay * penalty
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % every == 0:
            with torch.no_grad():
                rows = propagated().numpy()
            method = EmbeddingLinks("lightgcn (PyG)", rows[:users], rows[users:])
            value = float(worth(method, question, valid)[question.judged(valid)].mean())
            best, since = (value, 0) if value > best else (best, since + 1)
            yield value, {"epoch": epoch, "learning_rate": rate}, method
            if since >= patience:
                return


def fitted(settings, graph, seed):
    """(question, the network as a method) of a graph."""
    tasks = [registry.create("task", task) for task in settings.tasks]
    split = divide(settings, graph, tasks)
    module, data = built(settings, split, tasks, {})
    with tempfile.TemporaryDirectory() as folder:
        trained = train(module, data, settings.trainer, Path(folder) / "checkpoints", settings.model)
    (one,) = trained.heads
    question = RecommendQuestion(split.visible, split.links[ASKED], seed, at=one.head.at)
    return question, of_links(one.head, one.embeddings)


def differences(question, methods, settings):
    """mmgraph minus each rival on the test users, paired: metric -> rival -> (difference, low, high)."""
    _, (_, edges, known) = held_out(question)
    made = recommended(question, methods, edges, known, settings)
    each = {one.method: of_users(one.lists, question, edges, [question.at]) for one in made}
    found = {}
    for metric in METRICS:
        ours = each[OURS][metric]
        for rival in RIVALS:
            if rival in each:
                gap = ours - each[rival][metric]
                drawn = draws([Statistic(np.stack((gap, np.ones(len(gap))), 1))], settings.bootstrap, question.seed)[0]
                found.setdefault(metric, {})[rival] = (float(gap.mean()), *interval(drawn, settings.level))
    return found


def arm(name, settings, whole, options):
    """Everything of one arm, as it is written."""
    started = time.time()
    graph = whole.with_edges({relation: e for relation, e in whole.edges.items() if ARMS[name](relation.name)})
    question, network = fitted(settings, graph, settings.run.seed)
    trained_s = time.time() - started
    methods = [network, *fit_recommend_baselines(question, settings.evaluate.baselines)]
    ours, evidence = combine_links(question, methods, settings.evaluate, settings.run.seed)
    peers, told = [], None
    if name == "all" and options.peer:
        value, told, peer = light_gcn(question, settings.run.seed, 3 if options.quick else options.peer_epochs)
        told, peers = {**told, "validation ndcg@20": value}, [peer]
    rows, verdict = evaluate_recommendations(question, [ours, *methods, *peers], settings.evaluate)
    gaps = differences(question, [ours, *(m for m in (*methods, *peers) if m.name in RIVALS)], settings.evaluate)
    return {
        "rows": [asdict(row) for row in rows if row.metric in METRICS or (not row.group and row.metric.endswith("@20"))],
        "verdict": verdict.text,
        "evidence": asdict(evidence),
        "differences": gaps,
        "peer": told,
        "trained_s": round(trained_s, 1),
        "whole_s": round(time.time() - started, 1),
    }


def cell(rows, method, metric, group=""):
    for row in rows:
        if (row["split"], row["method"], row["metric"], row["group"]) == ("test", method, metric, group):
            return f"{row['value']:.3f}" + (f" ({row['low']:.3f}–{row['high']:.3f})" if row["low"] is not None else "")
    return "–"


def page(found):
    """The results as Markdown."""
    lines = [
        f"# lastfm: artists for users\n\nWritten by `python benchmarks/lastfm.py`, {found['written']}; seed {found['seed']}.\n"
    ]
    if "all" in found["arms"]:
        one = found["arms"]["all"]
        rows = one["rows"]
        methods = sorted(
            {row["method"] for row in rows},
            key=lambda m: (
                m != OURS,
                -max(
                    r["value"]
                    for r in rows
                    if (r["split"], r["method"], r["metric"], r["group"]) == ("test", m, "ndcg@20", "")
                ),
            ),
        )
        lines += [
            "| method | recall@20 | NDCG@20 | coverage@20 | recall@20 of cold artists | among the cold |",
            "|---|---|---|---|---|---|",
        ]
        for method in methods:
            cold = (cell(rows, method, "recall@20", f"items={group}") for group in ("cold", "cold, among the cold"))
            lines.append(
                "| " + " | ".join([method, *(cell(rows, method, m) for m in (*METRICS, "coverage@20")), *cold]) + " |"
            )
        lines += ["", one["verdict"], "", "| mmgraph minus | recall@20 | NDCG@20 |", "|---|---|---|"]
        for rival in one["differences"]["ndcg@20"]:
            cells = (one["differences"][metric][rival] for metric in METRICS)
            lines.append(
                f"| {rival} | " + " | ".join(f"{d:+.4f} ({low:+.4f} to {high:+.4f})" for d, low, high in cells) + " |"
            )
        if one["peer"]:
            lines += ["", f"LightGCN (PyG): {one['peer']}."]
    lines += [
        "",
        "| arm | mmgraph recall@20 | NDCG@20 | gnn NDCG@20 | EASE NDCG@20 | cold, among the cold: recall@20 | chosen | minutes |",
    ]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for name, one in found["arms"].items():
        rows = one["rows"]
        cells = [
            cell(rows, OURS, "recall@20"),
            cell(rows, OURS, "ndcg@20"),
            cell(rows, "gnn", "ndcg@20"),
            cell(rows, "ease", "ndcg@20"),
        ]
        cells.append(cell(rows, OURS, "recall@20", "items=cold, among the cold"))
        lines.append(f"| {name} | " + " | ".join([*cells, one["evidence"]["chosen"], f"{one['whole_s'] / 60:.1f}"]) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=HERE.parent.parent / "shared" / "data" / "lastfm")
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--peer", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--peer-epochs", type=int, default=90)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "lastfm")
    parser.add_argument("settings", nargs="*", help="key=value of the configuration, as model.width=32")
    options = parser.parse_args()
    words = ["--catalogue.root", str(options.root), "--split.links.method", "given", "--run.seed", str(options.seed)]
    words += [
        "--trainer.accelerator",
        "cpu",
        *(["--trainer.max_epochs", "2", "--evaluate.bootstrap", "20"] if options.quick else []),
    ]
    for one in options.settings:
        words += [f"--{one.partition('=')[0]}", one.partition("=")[2]]
    settings = load(HERE.parent / "configs" / "recommend.yaml", words)
    with tempfile.TemporaryDirectory() as folder:
        catalogue, content = read(settings)
        collected = features(replace_store(settings, folder), catalogue, content)
    whole = assemble(settings, catalogue, collected, content)
    file = options.out.with_suffix(".json")
    found = json.loads(file.read_text()) if file.exists() else {"arms": {}}
    found |= {"seed": options.seed, "written": datetime.now(UTC).strftime("%Y-%m-%d"), "settings": options.settings}
    file.parent.mkdir(parents=True, exist_ok=True)
    for name in options.arms.split(","):
        found["arms"][name] = arm(name, settings, whole, options)
        print(name, found["arms"][name]["verdict"], flush=True)
        file.write_text(json.dumps(found, indent=1) + "\n")
        options.out.with_suffix(".md").write_text(page(found))


def replace_store(settings, folder):
    """Nothing is encoded, and nothing of the run is kept."""
    import msgspec

    encoders = msgspec.structs.replace(settings.encoders, store=Path(folder))
    return msgspec.structs.replace(settings, encoders=encoders)


if __name__ == "__main__":
    main()
