"""Which settings of configs/knowledge.yaml suit knowledge graphs: validation MRR of many, the test split is not looked at.

A list of guesses first; then, while there is time, neighbours of the best by the mean over the data sets of what each reaches of the
best there.

python benchmarks/knowledge_sweep.py [--root ../shared/data/graphs] [--device cpu] [--workers 1] [--seconds 300] [--out sweep.json]
"""

import argparse
import json
import logging
import multiprocessing
import os
import queue
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

WIDTH = {"codex-s": 1024, "umls": 512, "kinship": 512}
EPOCHS = {"codex-s": 80, "umls": 200, "kinship": 200}
GUESS = {
    "optimizer": "adagrad",
    "rate": 0.1,
    "size": 512,
    "n3": 0.01,
    "dropout": 0.0,
    "filtered": False,
    "smoothing": 0.0,
    "wider": 1.0,
}
FIRST = [
    {},
    {"n3": 0.03},
    {"n3": 0.003},
    {"n3": 0.1},
    {"filtered": True},
    {"size": 128},
    {"optimizer": "adamw", "rate": 0.003},
    {"optimizer": "adamw", "rate": 0.003, "dropout": 0.3},
    {"optimizer": "adamw", "rate": 0.001},
    {"dropout": 0.3},
    {"dropout": 0.3, "filtered": True},
    {"rate": 0.3},
    {"rate": 0.03},
    {"smoothing": 0.1},
    {"wider": 2.0},
    {"wider": 0.25},
]


def overrides(name, one):
    """Settings as the command line gives them."""
    facts = {
        "class_path": "Facts",
        "init_args": {
            "kind": "entity",
            "scorer": "complex",
            "loss": {"class_path": "cross_entropy", "init_args": {"label_smoothing": one["smoothing"]}},
            "regulariser": {"class_path": "n3", "init_args": {"weight": one["n3"]}},
            "dropout": one["dropout"],
            "filtered": one["filtered"],
        },
    }
    return [
        f"--model.optimizer={one['optimizer']}",
        f"--model.learning_rate={one['rate']}",
        f"--model.batches.size={one['size']}",
        f"--model.width={int(WIDTH[name] * one['wider'])}",
        "--model.patience=12",
        f"--trainer.max_epochs={EPOCHS[name]}",
        f"--tasks={json.dumps([facts])}",
    ]


def neighbours(one):
    """Settings that differ from these in one number."""
    for key, steps in (("n3", (2, 0.5)), ("rate", (2, 0.5)), ("size", (0.5, 2))):
        for step in steps:
            yield {**one, key: type(one[key])(one[key] * step)}
    for key, values in (
        ("dropout", (0.0, 0.1, 0.2, 0.4)),
        ("smoothing", (0.0, 0.1)),
        ("filtered", (True, False)),
        ("wider", (1.0, 2.0)),
    ):
        for value in values:
            yield {**one, key: value}


def work(given, jobs, done):
    """One process: trains what it is given until it is given None."""
    import torch

    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    from facts import problem, validated

    while (job := jobs.get()) is not None:
        name, one = job
        try:
            figures, seconds = validated(problem(given.root, name, overrides(name, one)), given.device, given.max_time)
            best = max(figures, key=lambda pair: pair[1])
            done.put((name, one, {"mrr": best[1], "epoch": best[0], "epochs": len(figures), "seconds": round(seconds, 1)}))
        except Exception as error:  # noqa: BLE001 (one that fails is a result too)
            done.put((name, one, {"mrr": 0.0, "error": repr(error)[:300]}))


def best_settings(results):
    """The settings that reach most of each data set's best on average; those not tried on a data set count as their worst there."""
    by_set = {name: {json.dumps(r["settings"]): r["mrr"] for r in results if r["data"] == name} for name in WIDTH}
    by_set = {name: found for name, found in by_set.items() if found}
    every = {key for found in by_set.values() for key in found}

    def reached(key):
        return sum(found.get(key, min(found.values())) / max(max(found.values()), 1e-9) for found in by_set.values())

    return json.loads(max(sorted(every), key=reached)) if every else GUESS


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", default="../shared/data/graphs")
    parser.add_argument("--data", default=",".join(WIDTH))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--seconds", type=float, default=300, help="no training starts after this; one that runs is stopped a bit later"
    )
    parser.add_argument("--max-time", default="00:00:01:40", help="of one training, as lightning.Trainer takes it")
    parser.add_argument("--out", type=Path, default=Path("sweep.json"))
    parser.add_argument("--guesses", type=json.loads, default=FIRST, help="as JSON: what each changes in the first")
    parser.add_argument("--only-guesses", action="store_true", help="then stop")
    given = parser.parse_args()
    names, start = given.data.split(","), time.perf_counter()
    context = multiprocessing.get_context("spawn")
    jobs, done = context.Queue(), context.Queue()
    workers = [context.Process(target=work, args=(given, jobs, done)) for _ in range(given.workers)]
    for worker in workers:
        worker.start()
    waiting = [(name, {**GUESS, **one}) for one in given.guesses for name in names]
    asked, results, running = {json.dumps(job) for job in waiting}, [], 0
    while time.perf_counter() - start < given.seconds or running:
        late = time.perf_counter() - start >= given.seconds
        if late and time.perf_counter() - start > given.seconds + 45:
            break
        while running < given.workers and not late:
            if not waiting and not given.only_guesses:
                near = [(name, one) for one in neighbours(best_settings(results)) for name in names]
                waiting = [job for job in near if json.dumps(job) not in asked][
                    : 2 * len(names)
                ]  # then the best is looked up again
                asked |= {json.dumps(job) for job in waiting}
            if not waiting:
                break
            jobs.put(waiting.pop(0))
            running += 1
        if not running:
            break
        try:
            name, one, found = done.get(timeout=5)
        except queue.Empty:
            continue
        running -= 1
        results.append({"data": name, "settings": one, **found})
        print(f"{time.perf_counter() - start:6.1f} s {name:8} {found} {one}", flush=True)
        given.out.write_text(json.dumps({"best": best_settings(results), "results": results}, indent=1))
    for worker in workers:
        worker.terminate()  # what still runs is not waited for
    print("best:", best_settings(results))
    for name in names:
        top = sorted((r for r in results if r["data"] == name), key=lambda r: -r["mrr"])[:5]
        for one in top:
            print(f"  {name:8} {one['mrr']:.4f} {one['settings']}")


if __name__ == "__main__":
    main()
