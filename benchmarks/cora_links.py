"""Missing citations of Cora: mmgraph beside PyG's VGAE and GAE and the heuristics, on the same pairs.

    python benchmarks/cora_links.py [--data ../shared/data/graphs/cora/cora.npz] [--seeds 5] [--quick] [--out benchmarks/results]

85 / 5 / 10 % of the undirected pairs are train, validation and test, drawn anew by every seed; features may be used. AUC and AP are those
of Kipf and Welling 2016 (arXiv 1611.07308, section 3): test pairs against as many pairs without an edge, the same for all methods. MRR is
mmgraph's own: every test pair asked from both ends, among all papers, known links filtered. Train pairs are all that methods see;
``mmgraph`` (what a run hands out) and the epoch of ``gnn`` are chosen on validation. VGAE and GAE have the settings of their paper:
GCN 32-16, Adam 0.01, 200 epochs.
"""

import argparse
import datetime
import logging
import os
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

import numpy as np
import scipy.sparse
import torch
from scipy.stats import t as student
from sklearn.metrics import average_precision_score, roc_auc_score

from mmgraph.evaluate.contract import LinkQuestion
from mmgraph.evaluate.evaluate import evaluate_links, fit_link_baselines
from mmgraph.evaluate.evidence import combine_links
from mmgraph.evaluate.gnn import EmbeddingLinks
from mmgraph.evaluate.prepared import of_links
from mmgraph.graph.contract import Edges, Features, Graph
from mmgraph.model.train import train
from mmgraph.pipeline import built, divide
from mmgraph.settings import (
    BatchSettings,
    Component,
    EvaluateSettings,
    LinkSplitSettings,
    ModelSettings,
    RunSettings,
    Settings,
    SplitSettings,
)
from mmgraph.tasks.kinds.links import Links
from mmgraph.types import Relation

HERE = Path(__file__).resolve().parents[1]
CITES = Relation("paper", "cites", "paper")
BASELINES = ("common_neighbours", "adamic_adar", "resource_allocation", "nearest", "fast_rp", "popularity")


def cora(path):
    """The graph: each undirected pair once, and bags of words scaled to sum 1."""
    data = np.load(path, allow_pickle=False)
    words = scipy.sparse.csr_matrix((data["feat_data"], data["feat_indices"], data["feat_indptr"]), tuple(data["feat_shape"]))
    words = np.asarray(words.todense(), np.float32)
    words /= np.maximum(words.sum(1, keepdims=True), 1e-9)
    ends = np.unique(np.sort(data["edges"], 1), axis=0)
    ends = ends[ends[:, 0] != ends[:, 1]]
    ids = {"paper": np.arange(len(words)).astype(str)}
    edges = {CITES: Edges(CITES, ends[:, 0].copy(), ends[:, 1].copy())}
    return Graph(ids, edges, {("paper", "words"): Features(words, np.ones(len(words), bool))})


def settings(seed, words):
    """Settings for a plain graph with bags of words: of six tried, those with the best AUC on the validation links of seed 0."""
    model = ModelSettings(
        width=words.width, layer=words.layer, depth=words.depth, dropout=words.dropout, weight_decay=words.decay,
        learning_rate=words.rate, patience=words.patience, scale="rows", input_dropout=words.input_dropout, jumping=words.jumping,
        residual=words.residual, norm=words.norm, optimizer="adam", batches=BatchSettings(mode="full"),
    )  # fmt: skip
    return Settings(
        catalogue="Tables",
        run=RunSettings(seed=seed),
        split=SplitSettings(links=LinkSplitSettings(valid=0.05, test=0.1, supervise=words.supervise)),
        model=model,
    )


def task(words):
    scorer = Component(class_path=words.scorer, init_args={"heads": False})  # the links have no direction
    return Links(relation=str(CITES), scorer=scorer, loss=words.loss)


def strangers(graph, number, seed):
    """As many pairs of different papers that do not cite each other, each once."""
    rng = np.random.default_rng((seed, 1))
    count, edges = graph.count("paper"), graph.edges[CITES]
    known = set((edges.source * count + edges.target).tolist())
    found = {}
    while len(found) < number:
        low, high = np.sort(rng.integers(0, count, 2))
        key = int(low * count + high)
        if low != high and key not in known:
            found[key] = (low, high)
    return np.array(list(found.values())).T


def pooled(method, count):
    """float32 [papers, papers]: the mean of what a method says when asked from either end."""
    every = np.arange(count)
    return (method.scores(every, "target") + method.scores(every, "source").T) / 2


def against_strangers(method, graph, split, chosen, seed):
    """(AUC, AP) of the links at these positions."""
    scores = pooled(method, graph.count("paper"))
    edges = split.edges.take(chosen)
    low, high = strangers(graph, len(chosen), seed)
    both = (scores + scores.T) / 2
    given = np.concatenate([both[edges.source, edges.target], both[low, high]])
    truth = np.repeat([1, 0], len(chosen))
    return roc_auc_score(truth, given), average_precision_score(truth, given)


def auto_encoders(graph, split, epochs):
    """PyG's VGAE and GAE, trained on the visible pairs."""
    try:
        from torch_geometric.nn import GAE, VGAE, GCNConv
    except ImportError:
        return []

    class Encoder(torch.nn.Module):
        def __init__(self, wide, variational):
            super().__init__()
            self.first, self.mean = GCNConv(wide, 32), GCNConv(32, 16)
            self.deviation = GCNConv(32, 16) if variational else None

        def forward(self, x, index):
            hidden = self.first(x, index).relu()
            return (
                self.mean(hidden, index)
                if self.deviation is None
                else (self.mean(hidden, index), self.deviation(hidden, index))
            )

    x = torch.from_numpy(graph.features["paper", "words"].vectors)
    pairs = torch.from_numpy(np.stack([split.edges.source[split.train], split.edges.target[split.train]]))
    index = torch.cat([pairs, pairs.flip(0)], 1)
    methods = []
    for name, kind in (("vgae (PyG)", VGAE), ("gae (PyG)", GAE)):
        model = kind(Encoder(x.shape[1], kind is VGAE))
        optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(epochs):
            model.train()
            optimiser.zero_grad()
            z = model.encode(x, index)
            loss = model.recon_loss(z, index)
            if kind is VGAE:
                loss = loss + model.kl_loss() / len(x)
            loss.backward()
            optimiser.step()
        model.eval()
        with torch.no_grad():
            z = model.encode(x, index).numpy()
        methods.append(EmbeddingLinks(name, z, z))
    return methods


def one_seed(graph, seed, words):
    """method -> figures of one split."""
    made, asked = settings(seed, words), task(words)
    split = divide(made, graph, [asked])
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        module, data = built(made, split, [asked], {})
        trained = train(module, data, {"max_epochs": words.epochs, "accelerator": "cpu"}, Path(folder), made.model)
    seconds = time.perf_counter() - began
    (one,) = trained.heads
    question = LinkQuestion(split.visible, split.links[CITES], seed)
    evaluated = EvaluateSettings(bootstrap=100)
    gnn = of_links(one.head, one.embeddings)
    methods, chosen = [gnn], "gnn alone"
    if not words.alone:
        methods += fit_link_baselines(question, BASELINES)
        ours, evidence = combine_links(question, methods, evaluated, seed)
        torch.manual_seed(seed)
        peers = auto_encoders(split.visible, split.links[CITES], words.epochs if words.quick else 200)
        methods, chosen = [ours, *methods, *peers], evidence.chosen
    found = {}
    for method in methods:
        auc, ap = against_strangers(method, graph, question.split, question.split.test, seed)
        valid = against_strangers(method, graph, question.split, question.split.valid, seed + 1000)
        found[method.name] = {"AUC": auc, "AP": ap, "valid AUC": valid[0], "valid AP": valid[1]}
    rows, _ = evaluate_links(question, methods, evaluated)
    for row in rows:
        if row.metric == "mrr":
            found[row.method]["MRR" if row.split == "test" else "valid MRR"] = row.value
    logging.getLogger(__name__).info("seed %d: %s in %.0f s of training", seed, chosen, seconds)
    return found


def cell(values):
    """Mean and half the 95 % interval of the mean, by Student's t."""
    if len(values) < 2:
        return f"{values[0]:.3f}"
    half = student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):.3f} ± {half:.3f}"


def page(runs, date, seconds):
    """The results as Markdown."""
    metrics = ("AUC", "AP", "MRR", "valid AUC", "valid AP", "valid MRR")
    lines = [
        "# Missing citations of Cora",
        "",
        f"`python benchmarks/cora_links.py --seeds {len(runs)}`, {date}, {seconds / len(runs):.0f} s a seed, all methods together.",
        "Mean and 95 % interval of the mean over the splits. AUC and AP against as many sampled pairs; MRR among all papers.",
        "The columns of validation links are what settings were chosen by.",
        "",
        "| method | " + " | ".join(metrics) + " |",
        "|---" * (len(metrics) + 1) + "|",
    ]
    for method in runs[0]:
        lines.append(f"| {method} | " + " | ".join(cell([run[method][metric] for run in runs]) for metric in metrics) + " |")
    return "\n".join([*lines, ""])


def arguments(given=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parent / "shared" / "data" / "graphs" / "cora" / "cora.npz")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one seed, three epochs: does it run")
    parser.add_argument("--alone", action="store_true", help="the gnn alone: to try settings, by the columns of validation")
    parser.add_argument("--out", type=Path, help="write cora_links.md into this folder")
    for name, default in (("width", 128), ("depth", 2), ("epochs", 200), ("patience", 30)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in (("dropout", 0.5), ("decay", 1e-4), ("rate", 0.01), ("supervise", 0.3), ("input_dropout", 0.5)):
        parser.add_argument(f"--{name}", type=float, default=default)
    for name, default in (("layer", "gcn"), ("scorer", "cosine"), ("loss", "info_nce"), ("norm", "none"), ("jumping", "last")):
        parser.add_argument(f"--{name}", default=default)
    parser.add_argument("--residual", action="store_true")
    words = parser.parse_args(given)
    if words.quick:
        words.seeds, words.epochs = 1, 3
    return words


def main():
    words = arguments()
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger(__name__).setLevel(logging.INFO)
    warnings.filterwarnings("ignore")
    graph = cora(words.data)
    began = time.perf_counter()
    runs = [one_seed(graph, seed, words) for seed in range(words.seeds)]
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    text = page(runs, date, time.perf_counter() - began)
    print(text)
    if words.out:
        words.out.mkdir(parents=True, exist_ok=True)
        (words.out / "cora_links.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
