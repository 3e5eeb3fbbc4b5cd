"""Lightning's data side: which batches, full graph or sampled, and the whole graph for validation."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import lightning
import torch
from torch.utils.data import DataLoader, Dataset

from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Graph
from mmgraph.model.mining import Mining
from mmgraph.model.module import GraphModule
from mmgraph.sample.batch import Batch, Inputs
from mmgraph.sample.chains import chained
from mmgraph.sample.clock import Clock
from mmgraph.sample.full import FullGraphBatches, whole_batch
from mmgraph.sample.neighbours import NeighbourBatches
from mmgraph.sample.questions import AskedLabels, AskedLinks
from mmgraph.sample.steps import WholeGraphSteps
from mmgraph.sample.triples import AskedTriples
from mmgraph.settings import ModelSettings

log = logging.getLogger(__name__)


class _One(Dataset[Batch]):
    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def __len__(self) -> int:
        return 1

    def __getitem__(self, _: int) -> Batch:
        return self._batch


class GraphData(lightning.LightningDataModule):
    """Loaders over the visible graph. The epoch is set before each pass, so that draws depend on it alone."""

    def __init__(
        self,
        graph: Graph,
        links: Sequence[AskedLinks],
        labels: Sequence[AskedLabels],
        settings: ModelSettings,
        supervise: float,
        seed: int,
        triples: Sequence[AskedTriples] = (),
    ) -> None:
        super().__init__()
        self._settings = settings
        self.batches: FullGraphBatches | WholeGraphSteps | NeighbourBatches
        passing = any(one.passing for one in links) or any(one.passing for one in triples)
        mode, batch = chosen_mode(graph, settings, bool(triples), passing), settings.batches
        clock = Clock(graph) if batch.temporal else None
        chains = chained(graph) if settings.time in ("position", "both") else ()
        if mode == "full":
            self.batches = FullGraphBatches(graph, settings.layers, links, labels, supervise, seed, clock=clock, chains=chains)
        elif mode == "steps":
            self.batches = WholeGraphSteps(
                graph, settings.layers, links, labels, triples, batch.size, seed, clock=clock, chains=chains
            )
        else:
            if len(batch.fanouts) != settings.layers:
                raise SettingsError(
                    "model.batches.fanouts needs one number a layer",
                    given=f"{len(batch.fanouts)} numbers for depth {settings.layers}",
                    todo="give as many fanouts as model.depth",
                )
            self.batches = NeighbourBatches(graph, batch.fanouts, links, labels, batch.size, seed, clock=clock, chains=chains)
        self.whole = whole_batch(graph, settings.layers, chains)
        self.mining = Mining(links, triples)
        if self.mining.active and isinstance(self.batches, NeighbourBatches) and batch.workers:
            todo = "set it to 0, or take other negatives"
            wrong = "model.batches.workers: mined negatives are found by the process that trains"
            raise SettingsError(wrong, given=batch.workers, todo=todo)
        self._moved: tuple[Inputs, Inputs] | None = None

    def train_dataloader(self) -> DataLoader[Batch]:
        """Asked for anew each epoch (``reload_dataloaders_every_n_epochs=1``)."""
        if self.trainer is not None:
            self.batches.epoch = self.trainer.current_epoch
            if self.mining.active and isinstance(self.trainer.lightning_module, GraphModule):
                self.mining.refresh(self.trainer.lightning_module, self.whole, self.trainer.current_epoch)
        workers = self._settings.batches.workers if isinstance(self.batches, NeighbourBatches) else 0
        return DataLoader(self.batches, batch_size=None, num_workers=workers)

    def val_dataloader(self) -> DataLoader[Batch]:
        """The whole visible graph, once."""
        return DataLoader(_One(self.whole), batch_size=None)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Batches of the full graph share their inputs: those are moved once."""
        if device.type == "cpu":
            return batch
        held = self._moved
        if held is None or held[0] is not batch.inputs:
            held = self._moved = (batch.inputs, batch.inputs.to(device))
        return replace(replace(batch, inputs=Inputs({}, {})).to(device), inputs=held[1])


def chosen_mode(graph: Graph, settings: ModelSettings, triples: bool = False, passing: bool = False) -> str:
    """``full``, ``steps`` or ``neighbours``; ``auto`` decides, and the log says so.

    Without layers, for facts, and for heads that are ``passing`` messages of their own, it takes ``steps``; else it decides by the
    number of edges. Raises SettingsError for facts and such heads in another mode.
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
    if mode != "auto":
        return mode
    edges = sum(len(e) for e in graph.edges.values())
    steps = triples or passing or not settings.layers
    mode = "steps" if steps else "full" if edges <= settings.batches.auto_edges else "neighbours"
    log.info("batches: %s (%d edges, model.batches.auto_edges %d)", mode, edges, settings.batches.auto_edges)
    return mode
