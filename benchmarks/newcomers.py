"""Somebody who is in no table, served by what they like (`mmgraph recommend --liked`), beside what their own trained row would get them.

python benchmarks/newcomers.py [--root ../shared/data/lastfm] [--users 100] [--epochs 15] [--out benchmarks/results/newcomers.md]

Two runs of configs/recommend.yaml on lastfm with its split: one knows everybody, the other has never seen some users, drawn by chance
among those with five training artists or more: none of their links is in its tables. The first ranks all artists for these users by their
trained rows; the second for the same users as newcomers, each alone, told the same training artists. Known artists (train and valid) are
left out of both lists, whose NDCG@20 and recall@20 on the test links are compared user by user; intervals draw users again.
"""

import argparse
import csv
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

import numpy as np

from mmgraph import pipeline
from mmgraph.configuration import load
from mmgraph.evaluate.bootstrap import Statistic, draws, interval, ratio
from mmgraph.evaluate.contract import Newcomer
from mmgraph.evaluate.recommend.evaluate import of_users
from mmgraph.evaluate.recommend.lists import Lists, best_of, lists_of
from mmgraph.newcomer import network_scores, with_newcomer
from mmgraph.rerun import everyone, relations_of, reopen
from mmgraph.types import Relation

HERE = Path(__file__).resolve().parent
ASKED, FEWEST, AT = Relation.parse("user/listens/artist"), 5, 20
METRICS = (f"ndcg@{AT}", f"recall@{AT}")


def without(root, folder, users):
    """The tables of ``root`` in ``folder``, without these users and all of their links."""
    folder.mkdir(parents=True)
    for name, columns in (("items", ("id",)), ("links", ("source", "target"))):
        with open(root / f"{name}.csv", newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            kept = [row for row in rows if not any(row[column] in users for column in columns)]
            with open(folder / f"{name}.csv", "w", newline="", encoding="utf-8") as out:
                writer = csv.DictWriter(out, rows.fieldnames)
                writer.writeheader()
                writer.writerows(kept)


def drawn(root, count, seed=7):
    """So many users with FEWEST train links and a test link, in the order of their ids."""
    train, test = {}, set()
    with open(root / "links.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["relation"] == ASKED.name:
                train[row["source"]] = train.get(row["source"], 0) + (row["split"] == "train")
                test |= {row["source"]} if row["split"] == "test" else set()
    able = sorted(user for user, links in train.items() if links >= FEWEST and user in test)
    return sorted(np.random.default_rng(seed).permutation(able)[:count].tolist())


def fitted(root, run, epochs):
    words = [
        "--catalogue.root",
        str(root),
        "--run.dir",
        str(run),
        "--split.links.method",
        "given",
        "--trainer.accelerator",
        "cpu",
    ]
    words += [
        "--trainer.max_epochs",
        str(epochs),
        "--evaluate.bootstrap",
        "20",
        "--outputs.report",
        "false",
        "--outputs.top_k",
        "1",
    ]
    words += ["--evaluate.baselines", "[popularity, item_knn, ease]"]
    pipeline.fit(load(HERE.parent / "configs" / "recommend.yaml", words))
    return reopen(run)


def methods_of(opened):
    return everyone(opened, ASKED, relations_of(opened.run.path)[ASKED])


def trained_rows(opened, users):
    """Method -> metric -> a number a user; the question, the users' positions, and what each is known to have."""
    every = methods_of(opened)
    question, split = every.answer.question, every.answer.question.split
    place = {name: number for number, name in enumerate(question.graph.ids[ASKED.source])}
    own = np.array(sorted(place[user] for user in users))
    known, test = np.concatenate((split.train, split.valid)), split.test[np.isin(split.edges.source[split.test], own)]
    found = {
        name: of_users(lists_of(one, question, own, known, AT), question, test, [AT]) for name, one in every.methods.items()
    }
    return found, question, own, known, test


def as_newcomers(opened, question, own, known, test):
    """Method -> metric -> a number a user, of a run that has never seen them."""
    methods, edges = methods_of(opened).methods, question.split.edges
    assert np.array_equal(question.graph.ids[ASKED.target], opened.graph.ids[ASKED.target]), "the same artists"
    order = np.random.default_rng(0).permutation(question.count("target"))
    listed = {name: [] for name in methods}
    train = question.split.train
    for user in own:
        liked = edges.target[train[edges.source[train] == user]]
        newcomer = Newcomer(liked, network_scores(opened, with_newcomer(opened.split, ASKED, liked), ASKED))
        out = edges.target[known[edges.source[known] == user]]
        for name, method in methods.items():
            scores = np.array(method.of_newcomer(newcomer), np.float32)
            scores[0, out] = -np.inf
            listed[name].append(best_of(scores, AT, order)[0])
    return {name: of_users(Lists(own, np.concatenate(some)), question, test, [AT]) for name, some in listed.items()}


def told(values):
    low, high = interval(draws([Statistic(np.stack((values, np.ones(len(values))), 1), ratio)], 1000, 7)[0], 0.95)
    return f"{values.mean():.3f} ({low:.3f} to {high:.3f})"


def page(trained, new, users, epochs):
    """Markdown; ``trained``, ``new``: method -> metric -> a number a user."""
    written = f"{datetime.now(UTC).date()}, on {os.cpu_count()} cores"
    lines = [
        f"# Newcomers by what they like\n\nWritten by `python benchmarks/newcomers.py`, {written}.\n",
        f"{len(users)} users of lastfm; {epochs} epochs at most. *own row*: of a run that was trained with them; *newcomer*: of one that",
        "has never seen them, told what they like and nothing of their friends. Intervals draw users again; differences are paired.\n",
    ]
    for metric in METRICS:
        lines += [f"| {metric} | own row | newcomer | newcomer - own row | share |", "|---|---|---|---|---|"]
        for method in trained:
            one, other = trained[method][metric], new[method][metric]
            share = other.mean() / max(one.mean(), 1e-9)
            lines.append(f"| {method} | {told(one)} | {told(other)} | {told(other - one)} | {share:.2f} |")
        lines.append("")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=HERE.parent.parent / "shared" / "data" / "lastfm")
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "newcomers.md")
    options = parser.parse_args()
    users = drawn(options.root, options.users)
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        trained, *asked = trained_rows(fitted(options.root, base / "all", options.epochs), users)
        without(options.root, base / "tables", set(users))
        new = as_newcomers(fitted(base / "tables", base / "less", options.epochs), *asked)
    options.out.write_text(page(trained, new, users, options.epochs))
    print(options.out.read_text())


if __name__ == "__main__":
    main()
