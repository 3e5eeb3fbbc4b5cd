"""Lightning's side: one step, one validation, the optimiser. No training loop of our own."""

from collections.abc import Sequence
from typing import Any

import lightning
import torch
from torch import Tensor, nn

from mmgraph.model.contract import Head
from mmgraph.model.contrast import Embedded, contrast, joined
from mmgraph.model.network import Network
from mmgraph.model.row_adagrad import RowAdagrad, Together
from mmgraph.sample.batch import Batch
from mmgraph.settings import ModelSettings

ID_TABLE = ".ids."  # in the name of a parameter that has a row an id
_ADAMS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}


class GraphModule(lightning.LightningModule):
    """Network and heads. Losses are added with their weights; ``valid/score`` is the mean of the heads' first figures."""

    def __init__(self, network: Network, heads: Sequence[Head], settings: ModelSettings, seed: int) -> None:
        super().__init__()
        self.network = network
        self.heads = nn.ModuleList(heads)
        self._settings, self._seed = settings, seed
        self.row_wise = False
        for head in self.all_heads:
            head.attach(network)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Loss of every task that the batch asks, times its weight, and of ``contrast`` where ``model.contrast`` asks for it."""
        asked = self._asked(batch)
        draws = [self.network(batch) for _ in range(max((head.draws for head in asked), default=1))]
        losses = {head.name: head.step(self.network, batch, draws[: head.draws]) * head.weight for head in asked}
        if draws and isinstance(draws[0], Embedded):
            items = joined([head.items(batch) for head in asked])
            losses["contrast"] = contrast(draws[0], items, self._settings.contrast)
        return losses

    def training_step(self, batch: Batch, number: int) -> Tensor:
        """Sum of the tasks' losses. Seeded by epoch and batch: what dropout draws does not depend on where a run was resumed."""
        torch.manual_seed((self._seed * 1_000_003 + self.current_epoch) * 1_000_003 + number)
        losses: dict[str, Tensor] = self(batch)
        total = torch.stack(list(losses.values())).sum()
        named = {f"train/{name}": loss.detach() for name, loss in losses.items()} | {"train/loss": total.detach()}
        self.log_dict(named, on_epoch=True, on_step=False, batch_size=1)
        return total

    def validation_step(self, batch: Batch, _: int) -> None:
        """Figures of every head from embeddings of all items."""
        embeddings = self.network(batch)
        first = []
        for head in self.all_heads:
            figures = head.figures(self.network, batch, embeddings)
            first += list(figures.values())[:1]
            self.log_dict({f"valid/{head.name}/{metric}": value for metric, value in figures.items()}, batch_size=1)
        if first:
            self.log("valid/score", sum(first) / len(first), batch_size=1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101), Adam (Kingma and Ba 2015, arXiv 1412.6980) or Adagrad (Duchi et al. 2011,
        JMLR 12, figure 1); of ids RowAdagrad where they are stepped row by row.

        No decay on biases, norms and ids; encoders at rates of their own. On a GPU all parameters are stepped by one kernel.
        """
        rate = self._settings.learning_rate
        adapted = list(self.network.inputs.adaptations().values())
        rates = {id(p): one.learning_rate or rate for one in adapted for p in one.parameters()}
        groups: dict[tuple[float, bool], list[nn.Parameter]] = {(rate, True): [], (rate, False): []}
        for name, parameter in self.named_parameters():
            if parameter.requires_grad and not (self.row_wise and ID_TABLE in name):
                decayed = parameter.ndim > 1 and ID_TABLE not in name
                groups.setdefault((rates.get(id(parameter), rate), decayed), []).append(parameter)
        decay = self._settings.weight_decay
        given: list[dict[str, Any]] = [
            {"params": parameters, "lr": one, "weight_decay": decay * decayed}
            for (one, decayed), parameters in groups.items()
            if parameters
        ]
        dense = self._dense(given)
        if not self.row_wise:
            return dense
        tables = [table.weight for table in self.network.inputs.tables().values()]
        return Together(dense, RowAdagrad(tables, lr=self._settings.ids.learning_rate))

    def _dense(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        rate, name = self._settings.learning_rate, self._settings.optimizer
        if name == "adagrad":
            return torch.optim.Adagrad(groups, lr=rate)
        mixed = self._trainer is not None and self._trainer.precision.endswith("-mixed")  # Lightning would not clip gradients
        fused = not mixed and all(one.is_cuda for group in groups for one in group["params"])
        return _ADAMS[name](groups, lr=rate, fused=fused or None)

    def step_by_row(self, wanted: bool) -> None:
        """Give tables of ids sparse gradients, which batches of neighbours can have, and an optimiser of their own; or not."""
        self.row_wise = wanted
        for table in self.network.inputs.tables().values():
            table.sparse = wanted

    @property
    def all_heads(self) -> list[Head]:
        """One a relation or field asked."""
        return [head for head in self.heads if isinstance(head, Head)]

    def _asked(self, batch: Batch) -> list[Head]:
        return [
            head for head in self.all_heads if head.always or head.name in {**batch.links, **batch.labels, **batch.triples}
        ]
