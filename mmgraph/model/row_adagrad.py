"""Tables of ids that are stepped row by row: one number of the optimiser a row, and only rows that the batch has touched."""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor


class RowAdagrad(torch.optim.Optimizer):
    """Adagrad (Duchi, Hazan & Singer 2011, JMLR 12, figure 1) with one accumulator a row, of the mean square of the row's gradient, as in
    DLRM (Naumov et al. 2019, arXiv 1906.00091) and FBGEMM's exact row-wise Adagrad.

    Parameters are tables [rows, width]. With a sparse gradient time and memory are those of the rows in it, however many the table has; the
    accumulators take 4 bytes a row, where Adam's moments take 8 a number. A row that occurs several times in a batch is stepped once.
    """

    def __init__(self, tables: Iterable[Tensor], *, lr: float, eps: float = 1e-10) -> None:
        super().__init__(tables, {"lr": lr, "eps": eps})
        for group in self.param_groups:
            for table in group["params"]:
                self.state[table]["sum"] = torch.zeros(table.shape[0], dtype=torch.float32, device=table.device)

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """See torch."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None:
                    _step(table, table.grad, self.state[table]["sum"], group["lr"], group["eps"])
        return loss


def _step(table: Tensor, gradient: Tensor, total: Tensor, lr: float, eps: float) -> None:
    if gradient.is_sparse:
        gradient = gradient.coalesce()
        rows, values = gradient.indices()[0], gradient.values()
    else:
        rows, values = torch.arange(len(table), device=table.device), gradient
    total.index_add_(0, rows, values.float().square().mean(1))
    scale = total.index_select(0, rows).sqrt_().add_(eps).reciprocal_().mul_(-lr)
    table.index_add_(0, rows, values * scale[:, None].to(values.dtype))


class Together(torch.optim.Optimizer):
    """Two optimisers as one: Lightning steps one, and learning-rate schedules and checkpoints see the groups of both."""

    def __init__(self, first: torch.optim.Optimizer, second: torch.optim.Optimizer) -> None:
        self.both = (first, second)
        super().__init__([*first.param_groups, *second.param_groups], {})
        first.param_groups, second.param_groups = (
            self.param_groups[: len(first.param_groups)],
            self.param_groups[len(first.param_groups) :],
        )

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Both, after one pass."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for one in self.both:
            one.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """That of each."""
        return {"both": [one.state_dict() for one in self.both]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See state_dict."""
        for one, state in zip(self.both, state_dict["both"], strict=True):
            one.load_state_dict(state)
        self.param_groups = [group for one in self.both for group in one.param_groups]
