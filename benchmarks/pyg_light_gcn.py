"""LightGCN by PyG's own layer, trained as published: a peer for the benchmarks of recommendations."""

from dataclasses import dataclass

import numpy as np
import torch

from mmgraph.evaluate.gnn import EmbeddingLinks
from mmgraph.evaluate.worth import worth

NAME = "lightgcn (PyG)"


@dataclass(frozen=True)
class Peer:
    """``torch_geometric.nn.LGConv`` (extra ``bench``) with a sparse matrix, on the plays alone: the mean of ``depth`` layers, BPR with one
    negative a link, L2 on the vectors of the step (He et al. 2020, section 3.4). The rate of ``rates`` and the epoch are those that
    validation likes; a rate ends after ``patience`` looks, each ``every`` epochs, without a better one.
    """

    rates: tuple[float, ...] = (0.02,)
    width: int = 64
    depth: int = 3
    batch: int = 8192
    decay: float = 1e-4
    epochs: int = 75
    every: int = 3
    patience: int = 4

    def fit(self, question, seed):
        """(what is told of it, the method) of the best rate and epoch."""
        tried = (one for rate in self.rates for one in self._looks(question, seed, rate))
        told, users, items = max(tried, key=lambda one: one[0]["validation"])
        return told, EmbeddingLinks(NAME, users, items)

    def _looks(self, question, seed, rate):
        torch.manual_seed(seed)
        model = _LightGcn(question, self.width, self.depth)
        optimizer = torch.optim.Adam(model.parameters(), lr=rate)
        best, since = 0.0, 0
        for epoch in range(1, self.epochs + 1):
            self._epoch(model, optimizer)
            if epoch % self.every:
                continue
            value, users, items = _looked_at(model, question)
            best, since = (value, 0) if value > best else (best, since + 1)
            yield {"epoch": epoch, "learning_rate": rate, "validation": value}, users, items
            if since >= self.patience:
                return

    def _epoch(self, model, optimizer):
        for part in torch.randperm(len(model.source)).split(self.batch):
            rows = model()
            user, item = model.source[part], model.target[part]
            other = torch.randint(model.users, len(rows), (len(part),))
            score = (rows[user] * (rows[item] - rows[other])).sum(1)
            own = sum(model.table.weight[one].square().sum() for one in (user, item, other)) / len(part) / 2
            loss = torch.nn.functional.softplus(-score).mean() + self.decay * own
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


class _LightGcn(torch.nn.Module):
    def __init__(self, question, width, depth):
        super().__init__()
        from torch_geometric.nn import LGConv
        from torch_geometric.nn.conv.gcn_conv import gcn_norm
        from torch_sparse import SparseTensor

        self.users, count = question.count("source"), question.count("source") + question.count("target")
        self.source = torch.from_numpy(question.visible.source)
        self.target = torch.from_numpy(question.visible.target) + self.users
        ends = torch.cat((self.source, self.target)), torch.cat((self.target, self.source))
        matrix = SparseTensor(row=ends[1], col=ends[0], sparse_sizes=(count, count))
        self.matrix = gcn_norm(matrix, add_self_loops=False)  # once; the layer would do it in every step
        self.table = torch.nn.Embedding(count, width)
        torch.nn.init.normal_(self.table.weight, std=0.1)
        self.layers = torch.nn.ModuleList(LGConv(normalize=False) for _ in range(depth))

    def forward(self):
        rows = [self.table.weight]
        for layer in self.layers:
            rows.append(layer(rows[-1], self.matrix))
        return torch.stack(rows).mean(0)


@torch.no_grad()
def _looked_at(model, question):
    """NDCG on validation, and the vectors of users and items."""
    rows, valid = model().numpy(), question.split.valid
    users, items = np.split(rows, [model.users])
    value = worth(EmbeddingLinks(NAME, users, items), question, valid)[question.judged(valid)].mean()
    return float(value), users, items
