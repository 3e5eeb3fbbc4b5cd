"""How long training takes, and how far the process grows: a few real steps through Lightning, in a folder that is thrown away."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import lightning

from mmgraph.model.data import GraphData
from mmgraph.model.module import GraphModule
from mmgraph.model.resident import growth
from mmgraph.model.train import EPOCHS, Trained, train
from mmgraph.settings import ModelSettings

_STEPS = 3
_EPOCHS = 3  # the first warms up
_OWN = (
    "logger", "callbacks", "max_epochs", "max_steps", "max_time", "limit_train_batches", "check_val_every_n_epoch",
    "val_check_interval", "default_root_dir",
)  # fmt: skip


@dataclass(frozen=True)
class Rehearsed:
    """Seconds. steps: of an epoch; step: of one, with its batch; rest: of an epoch beside its steps (validation, checkpoints);
    end: loading the best epochs, and embeddings of all items. epochs: at most. trained: by these few steps. grown: bytes that the process
    grew by meanwhile, where the system says it.
    """

    steps: int
    step: float
    rest: float
    end: float
    epochs: int
    trained: Trained
    grown: int | None

    @property
    def epoch(self) -> float:
        """One epoch."""
        return self.steps * self.step + self.rest

    @property
    def total(self) -> float:
        """All epochs, unless early stopping ends them before."""
        return self.epochs * self.epoch + self.end


class Clock(lightning.Callback):
    """When each epoch began and ended, and what its steps took, batches included."""

    def __init__(self) -> None:
        self.epochs: list[float] = []
        self.steps: list[list[float]] = []
        self.ended = 0.0
        self._epoch = self._step = 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        """See Lightning."""
        now = time.perf_counter()
        if self.steps:
            self.epochs.append(now - self._epoch)
        self._epoch = self._step = now
        self.steps.append([])

    def on_train_batch_end(self, *_: Any) -> None:
        """See Lightning."""
        now = time.perf_counter()
        self.steps[-1].append(now - self._step)
        self._step = now

    def on_train_end(self, *_: Any) -> None:
        """See Lightning."""
        self.ended = time.perf_counter()
        self.epochs.append(self.ended - self._epoch)


def rehearse(module: GraphModule, data: GraphData, trainer: Mapping[str, Any], settings: ModelSettings) -> Rehearsed:
    """Train ``module`` for three epochs of at most three steps; it is not to be used for more. Raises what ``train`` does."""
    arguments = {name: value for name, value in trainer.items() if name not in _OWN}
    arguments |= {"max_epochs": _EPOCHS, "limit_train_batches": _STEPS}
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder, growth() as grown:
        trained = train(module, data, arguments, Path(folder) / "checkpoints", settings, [clock])
    end = time.perf_counter() - clock.ended
    warm = list(zip(clock.epochs, clock.steps, strict=True))[1:]
    return Rehearsed(
        steps=len(data.batches),
        step=median(one for _, steps in warm for one in steps),
        rest=median(max(whole - sum(steps), 0.0) for whole, steps in warm),
        end=end,
        epochs=int(trainer.get("max_epochs", EPOCHS)),
        trained=trained,
        grown=grown.bytes,
    )
