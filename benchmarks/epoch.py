"""One training epoch of the same two-layer link model in mmgraph, DGL and PyG: time, as ratios, and peak memory.

    python benchmarks/epoch.py [--models sage,gat] [--modes full,sampled] [--repeats 5] [--device cpu] [--quick] [--out benchmarks/results]

The graph is made: three kinds, four relations with skewed degrees, their reverses. The model is the same everywhere: a linear map a
kind, two layers (a map of the item itself a kind, and of each relation the mean of the neighbours or four heads of attention), and
InfoNCE over inner products with the same number of candidates in both directions, AdamW. Message passing and sampling are each
one's own: mmgraph's through its GraphData and Lightning; DGL's GraphConv(norm="right") or GATConv in HeteroGraphConv, and
as_edge_prediction_sampler; PyG's SAGEConv(root_weight=False) or GATConv in HeteroConv, and LinkNeighborLoader. DGL's SAGEConv, and
PyG's as it comes, would map the item itself once a relation; so they are given the cheaper form, which is ours.

Full graph: mmgraph draws anew in every epoch which links are predicted and takes them out of the messages; the others predict the same
links in every epoch, taken out once, before the clock starts. Sampled: a number of batches; all exclude the links of a batch
and their reverses, but PyG, which cannot.

With `--device cuda` mmgraph and PyG train on the GPU (DGL's wheel has no CUDA), and the peak is of the GPU's memory.

Each runs in a process of its own that makes one epoch when told to. Epochs of the three alternate; ratios are of neighbours in time.
"""

import argparse
import contextlib
import datetime
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

WIDTH, HEADS, FANOUTS, THREADS = 64, 4, (15, 10), 2
DEVICE = os.environ.get("EPOCH_DEVICE", "cpu")  # of the workers: their parent says so
COUNTS = {"user": 120_000, "item": 60_000, "tag": 20_000}
LINKS = {
    ("user", "plays", "item"): 1_600_000,
    ("user", "follows", "user"): 1_200_000,
    ("item", "has", "tag"): 800_000,
    ("user", "likes", "tag"): 400_000,
}
TARGET = ("user", "plays", "item")
PEERS = ("mmgraph", "dgl", "pyg")
QUICK = 50  # how much smaller
WHY_NOT = {
    "dgl": "it could not be started",
    "pyg": "not installed (extra `bench`), or sampling without pyg-lib and torch-sparse, which have no wheels on PyPI",
}


@dataclass(frozen=True)
class Size:
    """share: of the graph above; predicted: share of the target relation in a full epoch; candidates: of each direction."""

    share: float = 1.0
    predicted: float = 0.0625
    candidates: int = 512
    batch: int = 1024
    batches: int = 20

    @classmethod
    def quick(cls):
        return cls(1 / QUICK, 0.0625, 64, 64, 2)


def made(size):
    """Counts, (source, target) by relation, features by kind; sorted pairs, each once; a few items have most of the links."""
    rng = np.random.default_rng(0)
    counts = {kind: round(n * size.share) for kind, n in COUNTS.items()}
    order = {kind: rng.permutation(n) for kind, n in counts.items()}
    links = {}
    for (source, name, target), wanted in LINKS.items():
        wanted = round(wanted * size.share)
        drawn = [order[kind][(counts[kind] * rng.random(wanted * 5 // 4) ** 2).astype(np.int64)] for kind in (source, target)]
        keys = np.unique(drawn[0] * counts[target] + drawn[1])
        keys = np.sort(rng.permutation(keys)[:wanted])
        links[source, name, target] = keys // counts[target], keys % counts[target]
    features = {kind: rng.normal(size=(n, WIDTH)).astype(np.float32) for kind, n in counts.items()}
    return counts, links, features


def reverse(relation):
    source, name, target = relation
    return target, f"~{name}", source


def ours(model, mode, size):
    """(GraphModule, GraphData), as the pipeline builds them."""
    from mmgraph.graph.contract import Edges, Features, Graph
    from mmgraph.model.data import GraphData
    from mmgraph.model.train import build
    from mmgraph.sample.asked import Asked
    from mmgraph.settings import BatchSettings, Component, ModelSettings
    from mmgraph.split.contract import LinkSplit, Split
    from mmgraph.tasks.kinds.links import Links
    from mmgraph.types import Relation

    counts, links, features = made(size)
    edges = {Relation(*r): Edges(Relation(*r), *ends) for r, ends in links.items()}
    ids = {kind: np.arange(n).astype(str) for kind, n in counts.items()}
    given = {(kind, "given"): Features(x, np.ones(len(x), bool)) for kind, x in features.items()}
    graph = Graph(ids, edges, given)
    known, nothing = edges[Relation(*TARGET)], np.zeros(0, np.int64)
    split = Split({known.relation: LinkSplit(known, np.arange(len(known)), nothing, nothing)}, {}, graph)
    candidates = size.candidates if mode == "full" else size.batch
    negatives = Component(class_path="uniform", init_args={"num": candidates})
    scorer = Component(class_path="dot", init_args={"heads": False})
    task = Links(relation="/".join(TARGET), negatives=negatives, scorer=scorer)
    settings = ModelSettings(
        width=WIDTH, layer=model, residual=False, norm="none", jumping="last", fusion="mean", dropout=0.0, modality_dropout=0.0,
        batches=BatchSettings(mode="full" if mode == "full" else "neighbours", fanouts=FANOUTS, size=size.batch),
    )  # fmt: skip
    torch.manual_seed(0)
    module = build(graph, task.heads(split, settings), settings, 0)
    return module, GraphData(graph, Asked(task.asked_links(split)), settings, size.predicted, 0)


def timed_ours(model, mode, size):
    """An epoch of Lightning's each time: from the end of one to the end of the next, waiting left out."""
    import lightning

    module, data = ours(model, mode, size)

    class Clock(lightning.Callback):
        def on_train_epoch_end(self, *_):
            tell(now() - self.began, float(trainer.callback_metrics["train/loss"]))
            self.began = wait()

    clock = Clock()
    trainer = lightning.Trainer(
        accelerator=DEVICE, max_epochs=-1, callbacks=[clock], logger=False, enable_checkpointing=False, num_sanity_val_steps=0,
        limit_val_batches=0, limit_train_batches=None if mode == "full" else size.batches, enable_progress_bar=False,
        enable_model_summary=False, reload_dataloaders_every_n_epochs=1,
    )  # fmt: skip
    clock.began = wait()
    trainer.fit(module, data)


class Model(nn.Module):
    """The model of the peers: ``layers`` are theirs, called with (layer, rows) by ``run``; targets come first among sources."""

    def __init__(self, kinds, layers):
        super().__init__()
        self.inputs = nn.ModuleDict({kind: nn.Linear(WIDTH, WIDTH) for kind in kinds})
        self.itself = nn.ModuleList(nn.ModuleDict({kind: nn.Linear(WIDTH, WIDTH) for kind in kinds}) for _ in layers)
        self.layers = nn.ModuleList(layers)

    def forward(self, features, run):
        rows = {kind: torch.relu(self.inputs[kind](x)) for kind, x in features.items()}
        for number, layer in enumerate(self.layers):
            heard = run(number, layer, rows)
            itself = {kind: self.itself[number][kind](rows[kind][: len(x)]) for kind, x in heard.items()}
            rows = {kind: torch.relu(itself[kind] + x) for kind, x in heard.items()}
        return rows


def info_nce(sources, targets, source, target, other_sources, other_targets):
    """Both directions, candidates shared by all links: the positions of the ends among the rows."""
    source, target = sources[source] * WIDTH**-0.5, targets[target]
    positive = (source * target).sum(1, keepdim=True)
    forward = source @ targets[other_targets].T
    backward = target @ sources[other_sources].T * WIDTH**-0.5
    first = torch.zeros(len(source), dtype=torch.int64, device=source.device)
    losses = [F.cross_entropy(torch.cat([positive, scores], 1), first) for scores in (forward, backward)]
    return sum(losses) / 2


def predicted(links, size):
    """(positions predicted, positions that carry messages) among the links of the target relation."""
    count = len(links[TARGET][0])
    order = np.random.default_rng(1).permutation(count)
    number = round(size.predicted * count)
    return np.sort(order[:number]), np.sort(order[number:])


def candidates(counts, number):
    return tuple(torch.randperm(counts[kind])[:number].to(DEVICE) for kind in ("user", "item"))


def both(links):
    """Relations and their reverses, as tensors."""
    found = {}
    for relation, ends in links.items():
        source, target = map(torch.from_numpy, ends)
        found[relation], found[reverse(relation)] = (source, target), (target, source)
    return found


def timed_peer(model, batches, loss_of):
    """Epochs of a peer: ``batches()`` gives what ``loss_of`` takes."""
    optimiser = torch.optim.AdamW(model.to(DEVICE).parameters(), lr=3e-3, weight_decay=1e-4)
    while True:
        began, total, count = wait(), 0.0, 0
        for batch in batches():
            optimiser.zero_grad()
            loss = loss_of(batch)
            loss.backward()
            optimiser.step()
            total, count = total + float(loss), count + 1
        tell(now() - began, total / count)


def full(model, links, counts, features, size, run):
    """The epochs of a peer on the full graph: one step."""
    chosen, _ = predicted(links, size)
    source, target = (torch.from_numpy(end[chosen]).to(DEVICE) for end in links[TARGET])

    def loss_of(others):
        rows = model(features, run)
        return info_nce(rows["user"], rows["item"], source, target, *others)

    timed_peer(model, lambda: [candidates(counts, size.candidates)], loss_of)


def without_predicted(links, size):
    _, left = predicted(links, size)
    return links | {TARGET: tuple(end[left] for end in links[TARGET])}


def dgl_layer(dgl, name, relations):
    """All relations of a layer, their results added up."""
    if name == "sage":
        convs = {r: dgl.nn.GraphConv(WIDTH, WIDTH, "right", bias=False, allow_zero_in_degree=True) for r in relations}
    else:
        wide = WIDTH // HEADS
        convs = {r: dgl.nn.GATConv((WIDTH, WIDTH), wide, HEADS, bias=False, allow_zero_in_degree=True) for r in relations}
    return dgl.nn.HeteroGraphConv(convs, aggregate="sum")


def dgl_heard(graph, layer, rows):
    """What the items of a graph or block hear; the rows of its targets come first."""
    ends = {kind: rows[kind][: graph.num_dst_nodes(kind)] for kind in rows}
    return {kind: x.flatten(1) for kind, x in layer(graph, (rows, ends)).items()}


def timed_dgl(name, mode, size):
    if DEVICE != "cpu":
        sys.exit("DGL's wheel has no CUDA")
    from mmgraph.graph.dgl import load_dgl  # makes the import work on this torch, and nothing else

    dgl = load_dgl()
    counts, links, arrays = made(size)
    features = {kind: torch.from_numpy(x) for kind, x in arrays.items()}
    relations = list(both(links))

    model = Model(counts, [dgl_layer(dgl, name, relations) for _ in FANOUTS])
    if mode == "full":
        graph = dgl.heterograph(both(without_predicted(links, size)), num_nodes_dict=counts)
        graph.create_formats_()
        return full(model, links, counts, features, size, lambda _, one, rows: dgl_heard(graph, one, rows))
    graph = dgl.heterograph(both(links), num_nodes_dict=counts)
    graph.create_formats_()

    def pairs(_, eids):
        """As many random pairs as links: their ends are the candidates."""
        return {r: (torch.randint(counts[r[0]], (len(e),)), torch.randint(counts[r[2]], (len(e),))) for r, e in eids.items()}

    sampler = dgl.dataloading.as_edge_prediction_sampler(
        dgl.dataloading.NeighborSampler(list(FANOUTS)),
        exclude="reverse_types",
        reverse_etypes={r: reverse(r) for r in links} | {reverse(r): r for r in links},
        negative_sampler=pairs,
    )
    loader = dgl.dataloading.DataLoader(
        graph, {TARGET: torch.arange(len(links[TARGET][0]))}, sampler, batch_size=size.batch, shuffle=True
    )

    def loss_of(batch):
        nodes, positive, negative, blocks = batch
        rows = model({k: features[k][n] for k, n in nodes.items()}, lambda i, one, rows: dgl_heard(blocks[i], one, rows))
        asked, others = positive.edges(etype=TARGET), negative.edges(etype=TARGET)
        return info_nce(rows["user"], rows["item"], *asked, *others)

    return timed_peer(model, lambda: first(loader, size.batches), loss_of)


def timed_pyg(name, mode, size):
    from torch_geometric.data import HeteroData
    from torch_geometric.loader import LinkNeighborLoader
    from torch_geometric.nn import GATConv, HeteroConv, SAGEConv

    counts, links, arrays = made(size)
    features = {kind: torch.from_numpy(x) for kind, x in arrays.items()}
    relations = list(both(links))

    def layer():
        if name == "sage":
            convs = {r: SAGEConv((WIDTH, WIDTH), WIDTH, root_weight=False, bias=False) for r in relations}
        else:
            pair, wide = (WIDTH, WIDTH), WIDTH // HEADS
            convs = {r: GATConv(pair, wide, HEADS, add_self_loops=False, bias=False) for r in relations}
        return HeteroConv(convs, aggr="sum")

    model = Model(counts, [layer(), layer()])
    if mode == "full":
        index = {r: torch.stack(ends).to(DEVICE) for r, ends in both(without_predicted(links, size)).items()}
        features = {kind: x.to(DEVICE) for kind, x in features.items()}
        return full(model, links, counts, features, size, lambda _, one, rows: one(rows, index))
    data = HeteroData()
    for kind, x in features.items():
        data[kind].x = x
    for relation, ends in both(links).items():
        data[relation].edge_index = torch.stack(ends)
    loader = LinkNeighborLoader(
        data,
        num_neighbors=list(reversed(FANOUTS)),  # PyG counts from the seeds, DGL towards them
        edge_label_index=(TARGET, data[TARGET].edge_index),
        neg_sampling="binary",
        batch_size=size.batch,
        shuffle=True,
    )

    def loss_of(batch):
        batch = batch.to(DEVICE)
        rows = model(batch.x_dict, lambda _, one, rows: one(rows, batch.edge_index_dict))
        users, items = batch[TARGET].edge_label_index
        true = batch[TARGET].edge_label > 0
        return info_nce(rows["user"], rows["item"], users[true], items[true], users[~true], items[~true])

    return timed_peer(model, lambda: first(loader, size.batches), loss_of)


def first(batches, number):
    """The first ones of a loader, which is left then."""
    for _, batch in zip(range(number), batches, strict=False):
        yield batch


def now():
    """The clock, once the GPU has done what it was given."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def wait():
    """Until the parent says to go on."""
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return time.perf_counter()


def tell(seconds, loss):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if DEVICE == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**20
    print(json.dumps({"s": seconds, "loss": loss, "peak_mb": peak}), flush=True)


class Worker:
    """A process that makes an epoch when asked."""

    def __init__(self, peer, model, mode, quick, device):
        command = [sys.executable, __file__, "--worker", f"{peer},{model},{mode}", *(["--quick"] if quick else [])]
        environment = os.environ | {"OMP_NUM_THREADS": str(THREADS), "EPOCH_DEVICE": device}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def epoch(self):
        print("go", file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.read()
        self.process.wait()


def case(model, mode, peers, repeats, quick, device):
    """Epochs of all, in turn; the first of each is not counted. None for a peer that cannot run here."""
    workers = {peer: Worker(peer, model, mode, quick, device) for peer in peers}
    try:
        started = [peer for peer, worker in workers.items() if worker.epoch()]
        if "mmgraph" not in started:
            raise RuntimeError("mmgraph itself did not run")
        runs = []
        for _ in range(repeats):
            runs.append({peer: workers[peer].epoch() for peer in started})
            print(model, mode, *(f"{peer} {one['s']:.2f} s" for peer, one in runs[-1].items()), file=sys.stderr, flush=True)
    finally:
        for worker in workers.values():
            worker.end()
    return {peer: summary(peer, runs) if peer in started else None for peer in peers}


def summary(peer, runs):
    """Medians of a peer, and of the ratios to it."""
    ratios = sorted(run["mmgraph"]["s"] / run[peer]["s"] for run in runs)
    return {
        "s": statistics.median(run[peer]["s"] for run in runs),
        "peak_mb": max(run[peer]["peak_mb"] for run in runs),
        "loss": runs[-1][peer]["loss"],
        "ratio": statistics.median(ratios),
        "ratios": ratios,
    }


def page(found, words, date):
    """The results as Markdown."""
    size = Size.quick() if words.quick else Size()
    counts = ", ".join(f"{round(n * size.share):,} {kind}s" for kind, n in COUNTS.items())
    command = "python benchmarks/epoch.py" + (" --quick" if words.quick else "") + f" --repeats {words.repeats}"
    command += f" --modes {words.modes}" if words.modes != "full,sampled" else ""
    command += "" if words.device == "cpu" else f" --device {words.device}"
    where = f"{THREADS} threads" if words.device == "cpu" else torch.cuda.get_device_name()
    lines = [
        "# One training epoch beside DGL and PyG",
        "",
        f"`{command}`, {date}, {platform.machine()}, {where}, torch {torch.__version__}.",
        f"A made graph of {counts} and {round(sum(LINKS.values()) * size.share):,} links, and their reverses; width {WIDTH}, "
        f"{HEADS} heads, {size.candidates} candidates; sampled: {size.batches} batches of {size.batch} links, fanouts {list(FANOUTS)}.",
        "*Ratio* is mmgraph's time over the other's, the median of pairs of epochs that followed each other (lowest to highest): below 1,",
        "mmgraph is faster. *Peak* is "
        + ("the whole process's." if words.device == "cpu" else "of the GPU's memory, by torch."),
        "",
        "| model | mode | | s an epoch | ratio | peak MB |",
        "|---|---|---|---|---|---|",
    ]
    for (model, mode), case in found.items():
        for peer, one in case.items():
            if one is None:
                lines.append(f"| {model} | {mode} | {peer} | not run: {WHY_NOT[peer]} | | |")
                continue
            low, high = one["ratios"][0], one["ratios"][-1]
            ratio = "" if peer == "mmgraph" else f"{one['ratio']:.2f} ({low:.2f} to {high:.2f})"
            lines.append(f"| {model} | {mode} | {peer} | {one['s']:.2f} | {ratio} | {one['peak_mb']:,.0f} |")
    return "\n".join([*lines, ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="sage,gat")
    parser.add_argument("--modes", default="full,sampled")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--quick", action="store_true", help=f"a graph {QUICK} times smaller: does it run")
    parser.add_argument("--out", type=Path, help="write epoch.md and epoch.json into this folder")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.worker:
        warnings.filterwarnings("ignore")
        peer, model, mode = words.worker.split(",")
        run = {"mmgraph": timed_ours, "dgl": timed_dgl, "pyg": timed_pyg}[peer]
        return run(model, mode, Size.quick() if words.quick else Size())
    found = {
        (model, mode): case(model, mode, words.peers.split(","), words.repeats, words.quick, words.device)
        for model in words.models.split(",")
        for mode in words.modes.split(",")
    }
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    print(page(found, words, date))
    if words.out:
        words.out.mkdir(parents=True, exist_ok=True)
        name = "epoch" if words.device == "cpu" else f"epoch_{words.device}"
        (words.out / f"{name}.md").write_text(page(found, words, date), encoding="utf-8")
        plain = [{"model": model, "mode": mode, "peers": case} for (model, mode), case in found.items()]
        (words.out / f"{name}.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    return None


if __name__ == "__main__":
    main()
