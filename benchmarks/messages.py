"""Message passing beside DGL's own kernels: ratios of time, forward and backward together, in one process and one run.

python benchmarks/messages.py [--nodes 100000] [--edges 2000000] [--width 64] [--repeats 7] [--device cpu]
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch starts its threads

import torch

from mmgraph.graph.dgl import load_dgl
from mmgraph.model.messages import copy_mean, copy_sum, edge_softmax, weighted_sum
from mmgraph.sample.adjacency import Adjacency

HEADS = 4


def seconds(run, inputs, device):
    """Of one forward and backward."""
    for x in inputs:
        x.grad = None
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    run().sum().backward()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("nodes", 100_000), ("edges", 2_000_000), ("width", 64), ("repeats", 7)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", default="cpu", help="DGL from PyPI has no CUDA: with cuda, DGL still runs on the CPU")
    given = parser.parse_args()
    dgl = load_dgl()
    torch.manual_seed(0)
    source, target = torch.randint(given.nodes, (2, given.edges)).unbind()
    graph = dgl.graph((source, target), num_nodes=given.nodes)
    graph.create_formats_()
    adjacency = Adjacency.from_edges(source, target, given.nodes, given.nodes)
    theirs = torch.randn(given.nodes, given.width, requires_grad=True)
    logits = torch.randn(given.edges, HEADS, requires_grad=True)
    ours = theirs.detach().to(given.device).requires_grad_()
    our_logits = logits.detach()[adjacency.ids].to(given.device).requires_grad_()
    adjacency = adjacency.to(torch.device(given.device))

    def heads(x):
        return x.view(given.nodes, HEADS, -1)

    def attention_of_dgl():
        weight = dgl.nn.functional.edge_softmax(graph, logits)
        return dgl.ops.u_mul_e_sum(graph, heads(theirs), weight.unsqueeze(-1))

    def attention():
        return weighted_sum(adjacency, heads(ours), edge_softmax(adjacency, our_logits))

    cases = {
        "sum": (lambda: copy_sum(adjacency, ours), lambda: dgl.ops.copy_u_sum(graph, theirs)),
        "mean": (lambda: copy_mean(adjacency, ours), lambda: dgl.ops.copy_u_mean(graph, theirs)),
        f"attention, {HEADS} heads": (attention, attention_of_dgl),
    }
    print(
        f"{given.nodes} nodes, {given.edges} edges, width {given.width}, torch {torch.__version__}, {torch.get_num_threads()} threads"
    )
    print("time of mmgraph over time of DGL, forward and backward, median of pairs (lowest to highest)")
    for name, (mine, his) in cases.items():
        seconds(mine, (ours, our_logits), given.device), seconds(his, (theirs, logits), "cpu")
        ratios = [
            seconds(mine, (ours, our_logits), given.device) / seconds(his, (theirs, logits), "cpu")
            for _ in range(given.repeats)
        ]
        print(f"  {name:20} {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
