"""Lightning's data side: which batches, full graph or sampled, and the whole graph for validation."""

from dataclasses import replace
from functools import cached_property
from typing import Any

import lightning
import torch
from torch.utils.data import DataLoader, Dataset

from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Graph
from mmgraph.model.mining import Mining
from mmgraph.model.module import GraphModule
from mmgraph.sample.ahead import Ahead
from mmgraph.sample.asked import Asked
from mmgraph.sample.batch import Batch
from mmgraph.sample.chains import chained
from mmgraph.sample.clock import Clock
from mmgraph.sample.full import FullGraphBatches, all_shown, whole_batch
from mmgraph.sample.neighbours import NeighbourBatches
from mmgraph.sample.steps import WholeGraphSteps
from mmgraph.settings import ModelSettings


class _One(Dataset[Batch]):
    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def __len__(self) -> int:
        return 1

    def __getitem__(self, _: int) -> Batch:
        return self._batch


class GraphData(lightning.LightningDataModule):
    """Loaders over the visible graph. The epoch is set before each pass, so that draws depend on it alone.

    mode: ``full``, ``steps``, ``neighbours``, or ``auto`` until it is chosen (``model.choose``). whole_only: a head needs the whole graph.
    """

    def __init__(
        self,
        graph: Graph,
        asked: Asked,
        settings: ModelSettings,
        supervise: float,
        seed: int,
        whole_only: bool = False,
    ) -> None:
        super().__init__()
        self.graph, self.asked = graph, asked
        links, _, triples = asked
        self.supervise, self.seed = supervise, seed
        self._settings = settings
        self.passing = any(one.passing for one in links) or any(one.passing for one in triples)
        self.mode = checked_mode(settings, bool(triples), self.passing)
        if whole_only:
            self.mode = whole_mode(self.mode)
        self.clock = Clock(graph) if settings.batches.temporal else None
        self.chains = chained(graph) if settings.time in ("position", "both") else ()
        self.row_wise = False  # see GraphModule.step_by_row
        self.mining = Mining(links, triples)
        self._there: tuple[torch.device, Batch] | None = None
        if self.mode == "neighbours":
            self._check_workers()

    def _check_workers(self) -> None:
        workers = self._settings.batches.workers
        if self.mining.active and workers:
            todo = "set it to 0, or take other negatives"
            wrong = "model.batches.workers: mined negatives are found by the process that trains"
            raise SettingsError(wrong, given=workers, todo=todo)

    @cached_property
    def whole(self) -> Batch:
        """The whole visible graph, made when first asked for."""
        made = whole_batch(self.graph, self._settings.layers, self.chains, self.passing)
        return replace(made, shown=all_shown(self.graph, self.asked.labels))

    def on(self, device: torch.device) -> Batch:
        """``whole`` on the device that computes: moved there once, and let go when training ends."""
        if device.type == "cpu":
            return self.whole
        if self._there is None or self._there[0] != device:
            self._there = (device, self.whole.to(device))
        return self._there[1]

    @cached_property
    def batches(self) -> FullGraphBatches | WholeGraphSteps | NeighbourBatches:
        """What ``mode`` says; the full graph where nobody has chosen."""
        graph, depth, batch, seed = self.graph, self._settings.layers, self._settings.batches, self.seed
        links, labels, triples = self.asked
        clock, chains = self.clock, self.chains
        if self.mode in ("full", "auto"):
            supervise = self.supervise
            return FullGraphBatches(graph, depth, links, labels, supervise, seed, clock=clock, chains=chains, whole=self.whole)
        if self.mode == "steps":
            size, whole = batch.size, self.whole
            return WholeGraphSteps(graph, depth, links, labels, triples, size, seed, clock=clock, chains=chains, whole=whole)
        self._check_workers()
        return NeighbourBatches(graph, batch.fanouts[:depth], links, labels, batch.size, seed, clock=clock, chains=chains)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Asked for anew each epoch (``reload_dataloaders_every_n_epochs=1``)."""
        if self.trainer is not None:
            self.batches.epoch = self.trainer.current_epoch
            if not isinstance(self.batches, NeighbourBatches):
                self.batches.move(self._computing())
            if self.mining.active and isinstance(self.trainer.lightning_module, GraphModule):
                self.mining.refresh(self.trainer.lightning_module, self._computing(), self.trainer.current_epoch)
        if isinstance(self.batches, NeighbourBatches):
            return DataLoader(Ahead(self.batches), batch_size=None, num_workers=self._settings.batches.workers)
        return DataLoader(self.batches, batch_size=None)

    def state_dict(self) -> dict[str, Any]:
        """Kept in checkpoints: a run that goes on does so in the mode that it began with, whatever is free then."""
        return {"mode": self.mode, "row_wise": self.row_wise}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See state_dict."""
        self.mode, self.row_wise = str(state_dict["mode"]), bool(state_dict.get("row_wise", False))

    def val_dataloader(self) -> DataLoader[Batch]:
        """The whole visible graph, once."""
        return DataLoader(_One(self._computing()), batch_size=None)

    def teardown(self, stage: str) -> None:
        """Lightning's end of training: what lies on the GPU is let go."""
        self._there = None
        if "batches" in vars(self) and not isinstance(self.batches, NeighbourBatches):
            self.batches.move(self.whole)

    def _computing(self) -> Batch:
        """``whole`` where Lightning computes."""
        return self.whole if self.trainer is None else self.on(self.trainer.strategy.root_device)


def checked_mode(settings: ModelSettings, triples: bool = False, passing: bool = False) -> str:
    """``model.batches.mode``; ``steps`` for ``auto`` without layers, for facts, and for heads that are ``passing`` messages of their own.

    Raises SettingsError for facts and such heads in another mode, and for fanouts that are not one a layer where neighbours are sampled.
    """
    mode = settings.batches.mode
    if passing and mode not in ("auto", "steps"):
        raise SettingsError(
            "the task Paths needs the whole graph in steps", given=f"model.batches.mode: {mode}", todo="set it to steps"
        )
    if triples and mode not in ("auto", "steps"):
        raise SettingsError(
            "the task Facts needs the whole graph", given=f"model.batches.mode: {mode}", todo="set it to steps"
        )
    if mode == "neighbours":
        check_fanouts(settings)
    return "steps" if mode == "auto" and (triples or passing or not settings.layers) else mode


def whole_mode(mode: str) -> str:
    """``full`` for ``auto``; raises SettingsError where neighbours are sampled."""
    if mode == "neighbours":
        todo = "set it to full, or to auto"
        raise SettingsError(
            "tasks that hide parts of the graph need the whole graph", given=f"model.batches.mode: {mode}", todo=todo
        )
    return "full" if mode == "auto" else mode


def check_fanouts(settings: ModelSettings) -> None:
    """Raise SettingsError where they are not one a layer; without layers nobody is drawn."""
    if settings.layers and len(settings.batches.fanouts) != settings.layers:
        raise SettingsError(
            "model.batches.fanouts needs one number a layer",
            given=f"{len(settings.batches.fanouts)} numbers for depth {settings.layers}",
            todo="give as many fanouts as model.depth",
        )
