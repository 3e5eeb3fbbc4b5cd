"""What happens around epochs: curves that survive a resumption, and one bar for all epochs."""

from typing import Any

import lightning
import torch

from mmgraph.progress import Bar


class Curves(lightning.Callback):
    """Everything logged, by epoch; kept in the checkpoint, so that a resumed run has the whole curve."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, str, float]] = []

    def on_train_epoch_end(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        """Lightning calls this after the epoch's validation."""
        values = {name: float(torch.as_tensor(value)) for name, value in trainer.callback_metrics.items()}
        self.rows += [(trainer.current_epoch, name, value) for name, value in sorted(values.items())]

    def state_dict(self) -> dict[str, Any]:
        """Saved in the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Read from the checkpoint."""
        self.rows = [(int(epoch), str(name), float(value)) for epoch, name, value in state_dict["rows"]]


class EpochBar(lightning.Callback):
    """One bar over all epochs, with time left (early stopping may end it before)."""

    def __init__(self) -> None:
        self._bar: Bar | None = None

    def on_train_start(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        """Show it."""
        self._bar = Bar("training", trainer.max_epochs or 0, "epochs")
        self._bar.__enter__()
        self._bar.advance(trainer.current_epoch)

    def on_train_epoch_end(self, _trainer: lightning.Trainer, _module: lightning.LightningModule) -> None:
        """One epoch more."""
        if self._bar:
            self._bar.advance()

    def teardown(self, _trainer: lightning.Trainer, _module: lightning.LightningModule, stage: str) -> None:
        """Take it away, however training ended."""
        if self._bar:
            self._bar.__exit__()
            self._bar = None
