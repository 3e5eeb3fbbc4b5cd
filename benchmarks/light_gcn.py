"""One LightGCN epoch in mmgraph and by PyG's LGConv: time in pairs, and peak memory.

python benchmarks/light_gcn.py [--sizes lastfm,large] [--quick] [--out benchmarks/results/light_gcn.md]

Links are made: `lastfm` has 1,892 users, 17,632 items and 92,834 links as that data set has, `large` 1,000,000 users, 200,000 items and
20,000,000 links, a few users and items with most of them. Three layers of width 64, their mean, Adam, and BPR over batches of links, each
of which passes over the whole graph once forwards and once backwards. mmgraph trains through its GraphData and Lightning (mode `steps`):
the links of a batch are taken out of the messages, and compared with 64 candidates that all share. PyG's LGConv passes over all links, and
each is compared with one candidate of its own, as published. It is given `edge_index` (gather and scatter; the normalisation is computed in
every pass, as LGConv does), and the normalised matrix as torch_sparse's SparseTensor; edges of `large` would not fit into memory.

Each runs in a process of its own that makes some steps when told to; they alternate, and ratios are of neighbours in time, but for `large`,
where they do not fit into memory together, and CPU seconds are compared. An epoch of `large` is a step times the number of its steps: a few
are made.
"""

import argparse
import datetime
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
WIDTH, DEPTH, CANDIDATES = 64, 3, 64
PEERS = {"mmgraph": "mmgraph", "edges": "PyG, edge_index", "matrix": "PyG, SparseTensor"}


@dataclass(frozen=True)
class Size:
    """batch: links of a step; steps: timed at once; forms: those of PyG that fit into memory; rounds: how often; apart: workers run one
    after the other, as they do not fit into memory together.
    """

    users: int
    items: int
    links: int
    batch: int
    steps: int
    forms: tuple[str, ...]
    rounds: int
    apart: bool = False

    @property
    def of_epoch(self):
        """How many steps an epoch has."""
        return -(-self.links // self.batch)


SIZES = {
    "lastfm": Size(1_892, 17_632, 92_834, 8_192, 12, ("edges", "matrix"), 5),
    "large": Size(1_000_000, 200_000, 20_000_000, 65_536, 1, ("matrix",), 2, apart=True),
    "quick": Size(300, 200, 3_000, 1_000, 3, ("edges", "matrix"), 2),
}


def made(size):
    """(users, items) of the links, int64, sorted, each pair once; kept in the temporary folder, as large ones take a minute."""
    kept = Path(tempfile.gettempdir()) / f"light_gcn-{size.users}-{size.items}-{size.links}.npy"
    if kept.exists():
        return tuple(np.load(kept, allow_pickle=False))
    rng = np.random.default_rng(0)
    drawn = [
        (rng.permutation(count).astype(np.int64)[(count * rng.random(size.links * 3 // 2) ** 2).astype(np.int64)])
        for count in (size.users, size.items)
    ]
    keys = np.sort(drawn[0] * size.items + drawn[1])
    keys = keys[np.flatnonzero(np.diff(keys, prepend=-1))]
    keys = np.sort(rng.permutation(keys)[: size.links])
    assert len(keys) == size.links
    pairs = np.stack((keys // size.items, keys % size.items))
    np.save(kept, pairs)
    return tuple(pairs)


def ours(size):
    """(GraphModule, GraphData), as the pipeline builds them."""
    from mmgraph.graph.contract import Edges, Graph
    from mmgraph.model.data import GraphData
    from mmgraph.model.train import build
    from mmgraph.sample.asked import Asked
    from mmgraph.settings import BatchSettings, Component, ModelSettings
    from mmgraph.split.contract import LinkSplit, Split
    from mmgraph.tasks.kinds.recommend import Recommend
    from mmgraph.types import Relation

    relation = Relation("user", "plays", "item")
    edges = Edges(relation, *made(size))
    ids = {kind: np.arange(count).astype(str) for kind, count in (("user", size.users), ("item", size.items))}
    graph = Graph(ids, {relation: edges})
    nothing = np.zeros(0, np.int64)
    split = Split({relation: LinkSplit(edges, np.arange(len(edges)), nothing, nothing)}, {}, graph)
    task = Recommend(
        relation=str(relation),
        scorer=Component(class_path="dot", init_args={"heads": False}),
        loss="bpr",
        negatives=Component(class_path="uniform", init_args={"num": CANDIDATES}),
    )
    settings = ModelSettings(
        width=WIDTH, layer="light_gcn", depth=DEPTH, dropout=0.0, optimizer="adam", weight_decay=0.0,
        batches=BatchSettings(mode="steps", size=size.batch),
    )  # fmt: skip
    torch.manual_seed(0)
    module = build(graph, task.heads(split, settings), settings, 0)
    return module, GraphData(graph, Asked(task.asked_links(split), []), settings, 0.3, 0)


def timed_ours(size):
    """The steps of an epoch of Lightning's, or the first of them; validation and checkpoints are off."""
    import lightning

    module, data = ours(size)

    class Clock(lightning.Callback):
        """Between the last step of one round and that of the next, waiting left out."""

        def on_train_batch_end(self, trainer, module, outputs, batch, number):
            del module, outputs, batch
            if (number + 1) % size.steps == 0:
                tell(self.began, size.steps)
                self.began = wait()

    clock = Clock()
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=-1, callbacks=[clock], logger=False, enable_checkpointing=False, num_sanity_val_steps=0,
        limit_val_batches=0, enable_progress_bar=False, enable_model_summary=False, reload_dataloaders_every_n_epochs=1,
    )  # fmt: skip
    clock.began = wait()
    trainer.fit(module, data)


def timed_pyg(size, form):
    from torch_geometric.nn import LGConv

    torch.manual_seed(0)
    users, items = (torch.from_numpy(end) for end in made(size))
    count = size.users + size.items
    table = torch.nn.Parameter(torch.randn(count, WIDTH) * 0.1)
    edges = torch.cat((torch.stack((users, items + size.users)), torch.stack((items + size.users, users))), 1)
    if form == "matrix":
        edges = _matrix(edges, count)
    layers = [LGConv(normalize=form == "edges") for _ in range(DEPTH)]
    optimizer = torch.optim.Adam([table], lr=3e-3)
    began = wait()
    while True:
        order = torch.randperm(size.links)
        for number, part in enumerate(order.split(size.batch)):
            rows = [table]
            for layer in layers:
                rows.append(layer(rows[-1], edges))
            out = torch.stack(rows).mean(0)
            other = torch.randint(size.users, count, (len(part),))
            user, item = out[users[part]], out[items[part] + size.users]
            loss = torch.nn.functional.softplus(-(user * (item - out[other])).sum(1)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if (number + 1) % size.steps == 0:
                tell(began, size.steps)
                began = wait()


def _matrix(edges, count):
    """The normalised adjacency as a SparseTensor, with what its gradient needs made once."""
    from torch_sparse import SparseTensor

    degree = torch.bincount(edges[0], minlength=count).clamp(min=1).float()
    values = (degree[edges[0]] * degree[edges[1]]).rsqrt()
    return SparseTensor(row=edges[1], col=edges[0], value=values, sparse_sizes=(count, count)).fill_cache_()


def wait():
    """Ready; goes on when told to."""
    print(json.dumps({"ready": True}), flush=True)
    if not sys.stdin.readline():
        os._exit(0)
    return time.perf_counter(), time.process_time()


def tell(began, steps):
    wall, cpu = ((now - then) / steps for now, then in zip((time.perf_counter(), time.process_time()), began, strict=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"s": wall, "cpu_s": cpu, "peak_gib": peak}), flush=True)


class Worker:
    """A process of its own that makes steps when told to."""

    def __init__(self, name, size):
        self.name = name
        words = [sys.executable, "-W", "ignore", __file__, "--worker", name, "--sizes", size]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._line("ready")

    def steps(self):
        """Seconds of a step, of them those of the processor, and the peak of memory in GiB so far."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        found = self._line("s")
        self._line("ready")
        print(self.name, found, file=sys.stderr, flush=True)
        return found["s"], found["cpu_s"], found["peak_gib"]

    def _line(self, wanted):
        while text := self.process.stdout.readline():
            if text.startswith("{") and wanted in (found := json.loads(text)):
                return found
        raise SystemExit(f"a worker ended with status {self.process.wait()}")

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def measured(name):
    """who -> (seconds of a step each time, CPU seconds, peak GiB), the first round left out, as it warms up."""
    everyone = ("mmgraph", *SIZES[name].forms)
    if not SIZES[name].apart:
        return alternated(name, everyone)
    return {who: one for each in everyone for who, one in alternated(name, [each]).items()}


def alternated(name, everyone):
    workers = {who: Worker(who, name) for who in everyone}
    rounds = [{who: worker.steps() for who, worker in workers.items()} for _ in range(SIZES[name].rounds + 1)]
    for worker in workers.values():
        worker.end()
    return {who: (*([one[who][i] for one in rounds[1:]] for i in (0, 1)), rounds[-1][who][2]) for who in workers}


def page(found):
    now = datetime.datetime.now(datetime.UTC).date()
    lines = [
        f"# One LightGCN epoch beside PyG's\n\nWritten by `python benchmarks/light_gcn.py`, {now}, {os.cpu_count()} cores."
    ]
    lines.append("Medians of rounds; what is compared, and how, stands at the head of that file.\n")
    for name, each in found.items():
        size = SIZES[name]
        lines.append(f"## {size.users:,} users, {size.items:,} items, {size.links:,} links\n")
        note = "" if size.steps >= size.of_epoch else f": {size.steps} a round are made, the epoch is that many times longer"
        how = "one after the other" if size.apart else "in pairs"
        lines.append(f"{size.of_epoch} steps of {size.batch:,} links are an epoch{note}. {size.rounds} rounds, {how}.\n")
        lines += ["| who | step s | step CPU s | epoch s | mmgraph's over its | peak GiB |", "|---|---|---|---|---|---|"]
        which = 1 if size.apart else 0  # the machine may be busier for one than for the other
        for who, (seconds, cpu, peak) in each.items():
            ratios = sorted(a / b for a, b in zip(each["mmgraph"][which], each[who][which], strict=True))
            told = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})" if who != "mmgraph" else ""
            step = statistics.median(seconds)
            start = f"| {PEERS[who]} | {step:.4f} | {statistics.median(cpu):.4f} | {step * size.of_epoch:,.1f}"
            lines.append(f"{start} | {told} | {peak:.2f} |")
        lines.append("")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="lastfm,large")
    parser.add_argument("--quick", action="store_true", help="a small graph, to try the script")
    parser.add_argument("--worker", choices=PEERS)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "light_gcn.md")
    options = parser.parse_args()
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    if options.worker:
        size = SIZES[options.sizes]
        return timed_ours(size) if options.worker == "mmgraph" else timed_pyg(size, options.worker)
    found = {}
    for name in ["quick"] if options.quick else options.sizes.split(","):
        found[name] = measured(name)
        print(page({name: found[name]}), flush=True)
    if not options.quick:
        options.out.write_text(page(found))
    return None


if __name__ == "__main__":
    main()
