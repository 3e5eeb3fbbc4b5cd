"""`mmgraph update` with new links beside `mmgraph fit` anew on all of them: seconds of training, and NDCG@20 on the newest links.

python benchmarks/updating.py [--users 2000] [--epochs 60] [--seeds 7,8] [--out benchmarks/results/updating.md]

Links are made, in the order of their times: users of 20 tastes that move slowly, and 800 items of which new ones appear all the time. A
run is fitted on the first nine tenths; then come the others, with users and items that it has never seen. Both ways hold out the newest
fifth of all links as test and a tenth before it as validation (`split.links.method: time`), so that they answer the same questions; the
update may train a tenth of the epochs (its default), from the weights that it has. Seconds are of the processor, of training alone and of
the whole command (reading, baselines, lists and tables are the same work in both; an update reads the run besides).
"""

import argparse
import csv
import os
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

import numpy as np

from mmgraph import pipeline, updating
from mmgraph.configuration import load
from mmgraph.outputs.reading import read_run
from mmgraph.runs import RunFolder

HERE = Path(__file__).resolve().parent
ITEMS, TASTES, EACH = 800, 20, 20
COLUMNS = ("source", "relation", "target", "time")


def links(users, seed):
    """Rows of links.csv, the oldest first, each pair once."""
    rng = np.random.default_rng(seed)
    count = users * EACH
    moment = np.sort(rng.random(count))
    joined = rng.random(users) ** 3 * 0.95  # most users are there from early on
    user = (rng.random(count) ** 1.3 * users).astype(int)
    came = rng.permutation(ITEMS) / ITEMS * 0.95  # when an item appeared
    taste, kind = rng.integers(0, TASTES, users), rng.integers(0, TASTES, ITEMS)
    popular = rng.pareto(2.5, ITEMS) + 0.3
    rows, known = [], set()
    for one, when in zip(user, moment, strict=True):
        if joined[one] > when:
            continue
        if rng.random() < 0.02:
            taste[one] = (taste[one] + 1) % TASTES
        alike = np.where(kind == taste[one], 25.0, 1.0) * popular * (came <= when)
        item = int(rng.choice(ITEMS, p=alike / alike.sum()))
        if (one, item) not in known:
            known.add((one, item))
            rows.append((f"u{one}", "plays", f"m{item}", f"{when * 1e6:.0f}"))
    return rows


def tables(root, rows):
    """A folder of tables with the items of these links."""
    root.mkdir(parents=True)
    named = {name: kind for s, _, t, _ in rows for name, kind in ((s, "user"), (t, "music"))}
    for name, header, lines in (("items", ("id", "kind"), named.items()), ("links", COLUMNS, rows)):
        written(root / f"{name}.csv", header, lines)


def written(path, header, lines):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *lines])


def settings(root, run, options, seed):
    config = run.parent / f"{run.name}.yaml"
    config.write_text(
        f"""
catalogue: {{class_path: Tables, init_args: {{root: {root}}}}}
run: {{dir: {run}, seed: {seed}}}
graph: {{edges: []}}
split: {{links: {{method: time, valid: 0.1, test: 0.2}}}}
model:
  layer: light_gcn
  width: 32
  dropout: 0.0
  optimizer: adam
  weight_decay: 0.0
  learning_rate: 0.01
  patience: 15
  batches: {{mode: steps, size: 4096}}
tasks:
  - class_path: Recommend
    init_args:
      relation: user/plays/music
      scorer: {{class_path: cosine, init_args: {{heads: false, temperature: 0.15}}}}
      negatives: {{class_path: uniform, init_args: {{num: 256}}}}
trainer: {{max_epochs: {options.epochs}, accelerator: cpu}}
evaluate: {{bootstrap: 200, ks: [20], baselines: [popularity, item_knn]}}
outputs: {{report: false}}
"""
    )
    return load(config, [])


def timed(module, call):
    """CPU seconds of the call, and of the training in it, which ``module`` names ``train``."""
    real, spent = module.train, []

    def train(*words, **named):
        began = time.process_time()
        made = real(*words, **named)
        spent.append(time.process_time() - began)
        return made

    module.train, began = train, time.process_time()
    try:
        call()
    finally:
        module.train = real
    return time.process_time() - began, sum(spent)


def figures(run):
    """Method -> (NDCG@20 on the test, low, high, users)."""
    rows = [r for r in read_run(RunFolder(run)).rows if (r.split, r.metric, r.group) == ("test", "ndcg@20", "")]
    return {r.method: (r.value, r.low, r.high, r.n) for r in rows}


def measured(options, seed, base):
    rows = links(options.users, seed)
    cut = int(0.9 * len(rows))
    first = {name for row in rows[:cut] for name in (row[0], row[2])}
    new = {name for row in rows[cut:] for name in (row[0], row[2])} - first
    tables(base / "old", rows[:cut])
    tables(base / "all", rows)
    written(base / "new_links.csv", COLUMNS, rows[cut:])
    pipeline.fit(settings(base / "old", base / "run", options, seed))
    updated = timed(updating, lambda: updating.update_run(base / "run", base / "new_links.csv"))
    anew = timed(pipeline, lambda: pipeline.fit(settings(base / "all", base / "anew", options, seed)))
    told = {"links": len(rows), "new": len(rows) - cut, "items": len(new), "seed": seed}
    return {**told, "update": updated, "anew": anew, "of": (figures(base / "run"), figures(base / "anew"))}


def page(found, options):
    one = found[0]
    written_on = f"{datetime.now(UTC).date()}, on {os.cpu_count()} cores"
    lines = [f"# New links in a finished run\n\nWritten by `python benchmarks/updating.py`, {written_on}.\n"]
    lines.append(
        f"{one['links']:,} made links, of which the last {one['new']:,} came later, with {one['items']} new users and items; "
        f"{options.epochs} epochs at most anew, {max(1, options.epochs // updating.SHARE_OF_LINKS)} in an update. CPU seconds.\n"
    )
    lines += [
        "| seed | training, update | anew | times faster | whole command, update | anew | times faster |",
        "|---|---|---|---|---|---|---|",
    ]
    for run in found:
        (all_u, train_u), (all_a, train_a) = run["update"], run["anew"]
        lines.append(
            f"| {run['seed']} | {train_u:.1f} | {train_a:.1f} | {train_a / train_u:.1f} | {all_u:.1f} | {all_a:.1f} | {all_a / all_u:.1f} |"
        )
    lines += ["", "NDCG@20 on the newest fifth of all links, with its interval over users:", ""]
    lines += ["| seed | method | update | anew | share of anew |", "|---|---|---|---|---|"]
    shares = []
    for run in found:
        update, anew = run["of"]
        for method in ("gnn", "mmgraph", "item_knn", "popularity"):
            told = [f"{v:.4f} ({low:.4f}-{high:.4f})" for v, low, high, _ in (update[method], anew[method])]
            share = update[method][0] / anew[method][0]
            shares += [share] if method == "gnn" else []
            lines.append(f"| {run['seed']} | {method} | {told[0]} | {told[1]} | {share:.3f} |")
    times = [run["anew"][1] / run["update"][1] for run in found]
    lines.append(
        f"\nOver {len(found)} seeds the update trains {statistics.mean(times):.1f} times faster, and the gnn has "
        f"{statistics.mean(shares):.3f} of the NDCG@20 of training anew."
    )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", default="7,8")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "updating.md")
    options = parser.parse_args()
    found = []
    for seed in map(int, options.seeds.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            found.append(measured(options, seed, Path(folder)))
        print(page(found, options), flush=True)
    options.out.write_text(page(found, options))


if __name__ == "__main__":
    main()
