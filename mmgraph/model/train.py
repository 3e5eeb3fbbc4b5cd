"""Train with Lightning: early stopping on validation, checkpoints, resumption; then embeddings of all items."""

import copy
import inspect
import logging
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import Tensor

from mmgraph import registry
from mmgraph.encode.tuning import Top
from mmgraph.errors import RunError, SettingsError
from mmgraph.graph.contract import Graph
from mmgraph.model.callbacks import Curves, EpochBar
from mmgraph.model.choose import choose
from mmgraph.model.contract import Head
from mmgraph.model.data import GraphData
from mmgraph.model.module import GraphModule
from mmgraph.model.network import Network
from mmgraph.settings import ModelSettings
from mmgraph.types import Relation

log = logging.getLogger(__name__)
EPOCHS = 200  # unless trainer.max_epochs says otherwise
_SAVED_EVERY = 5  # epochs; what a killed run loses at most
_REFUSED = (TypeError, ValueError, ImportError, MisconfigurationException)  # what Lightning says of arguments


@dataclass(frozen=True)
class TrainedHead:
    """A task's head as it was in the epoch that validated best for this task, with that epoch's embeddings of its kinds."""

    head: Head
    embeddings: dict[str, Tensor]


@dataclass(frozen=True)
class Trained:
    """One training of all tasks together, each task at its own best epoch by validation.

    embeddings: float32 kind -> [items, width] on CPU, of the epoch with the best mean figure; curves: (epoch, name, value).
    """

    heads: Sequence[TrainedHead]
    embeddings: dict[str, Tensor]
    curves: list[tuple[int, str, float]]


def build(
    graph: Graph, heads: Sequence[Head], settings: ModelSettings, seed: int, tops: Mapping[str, Top] | None = None
) -> GraphModule:
    """The untrained module; the same seed gives the same weights. tops: modality -> what of its encoder may be trained."""
    relations: list[Relation] = [r for one in graph.edges for r in (one, one.reverse)]
    told = {head.name: (head.kinds[0], head.told) for head in heads if head.told}
    return GraphModule(Network(graph, relations, settings, tops, told), heads, settings, seed)


def train(
    module: GraphModule,
    data: GraphData,
    trainer: dict[str, Any],
    folder: Path,
    settings: ModelSettings,
    watching: Sequence[lightning.Callback] = (),
) -> Trained:
    """Fit, from ``folder/last.ckpt`` where a killed run left one, and load the best epochs.

    Raises SettingsError as ``check_trainer`` does, and RunError where it was ended before an epoch was complete.
    """
    with warnings.catch_warnings():
        _quiet()
        curves = Curves()
        made = _trainer(trainer, folder, settings, [*watching, curves, data.mining, *_savers(module.all_heads, folder)])
        _check_epochs(made, module.all_heads)
        last = folder / "last.ckpt"
        if last.exists():
            log.info("training goes on from %s", last)
        begun = _begun(last)
        if begun is not None:
            data.load_state_dict(begun)
        else:
            data.mode = choose(module, data, settings, made.strategy.root_device.type == "cuda")
        module.step_by_row(data.row_wise)
        made.fit(module, data, ckpt_path=last if last.exists() else None, weights_only=True)
        if not (folder / "best.ckpt").exists():
            todo = "give it more (max_time, max_steps), and let an epoch be validated (val_check_interval)"
            raise RunError("training ended before an epoch was complete and judged", given=f"trainer: {trainer}", todo=todo)
        return restored(module, data, folder, curves.rows)


def check_trainer(arguments: dict[str, Any], settings: ModelSettings, heads: Sequence[Head] = ()) -> None:
    """Raise SettingsError for an argument that Lightning's Trainer does not take, a value that it refuses, and values with which these
    heads would be given no checkpoint. To be asked before anything is encoded.
    """
    left, folder = dict(arguments), Path("checkpoints")
    for one in (one for name in ("logger", "callbacks") for one in _components(left.pop(name, []))):
        registry.imported(one)  # not built: some loggers begin an experiment
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        with warnings.catch_warnings():
            _quiet()
            warnings.simplefilter("ignore")  # it is said when it trains
            _check_epochs(_trainer(left, folder, settings, _savers(heads, folder)), heads)
    finally:  # trainer.deterministic is of training: an encoder may have no such algorithm
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def _check_epochs(made: lightning.Trainer, heads: Sequence[Head]) -> None:
    if made.fast_dev_run:
        todo = "leave it out; `mmgraph fit --dry-run` trains for a few steps"
        raise SettingsError("trainer.fast_dev_run keeps no checkpoint", given=True, todo=todo)
    judged = ["limit_val_batches"] if any(head.figure for head in heads) else []
    for name in ("max_epochs", "max_steps", "limit_train_batches", *judged):
        if getattr(made, name) == 0:
            raise SettingsError(f"trainer.{name} leaves no epoch that could be taken", given=0, todo="raise it above 0")
    every, epochs = made.check_val_every_n_epoch, made.max_epochs
    if every is not None and (every < 1 or 0 <= (epochs or -1) < every):
        given, todo = f"check_val_every_n_epoch {every}, max_epochs {epochs}", "set check_val_every_n_epoch to 1"
        raise SettingsError("trainer: no epoch would be looked at, so none could be taken", given=given, todo=todo)


def _begun(last: Path) -> dict[str, Any] | None:
    """What a killed run began with: the mode of its batches, and how ids are stepped."""
    if not last.exists():
        return None
    state = torch.load(last, map_location="cpu", weights_only=True, mmap=True).get(GraphData.__qualname__, {})
    return dict(state) if "mode" in state else None


def _quiet() -> None:
    """Advice of Lightning's that does not fit here: there is one batch, it is in memory already, and tuned encoders drop nothing."""
    warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*number of training batches.*is smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory.*exists and is not empty.*")
    warnings.filterwarnings("ignore", message=".*Your `IterableDataset` has `__len__` defined.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*")
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)


def _savers(heads: Sequence[Head], folder: Path) -> list[lightning.Callback]:
    """The last epochs for resumption, the best by the mean figure, and the best of each task."""
    watched: list[tuple[str, str | None, str]] = [(f"best-{i}", *_watched(head)) for i, head in enumerate(heads)]
    validated = any(head.figure for head in heads)
    if validated:
        watched.append(("best", "valid/score", "max"))
    else:
        watched.append(("best", None, "min") if any(head.last for head in heads) else ("best", "train/loss", "min"))
    best = [
        _Named(folder, name, monitor, mode=mode, save_weights_only=True, enable_version_counter=False)
        for name, monitor, mode in watched
    ]
    return [*best, ModelCheckpoint(folder, "last", every_n_epochs=_SAVED_EVERY, enable_version_counter=False)]


class _Named(ModelCheckpoint):
    """Several that watch the same, or take the last epoch, may stand beside each other: their names tell them apart."""

    @property
    def state_key(self) -> str:
        """Under which its state is kept in checkpoints."""
        return f"{super().state_key} {self.filename}"


def _watched(head: Head) -> tuple[str | None, str]:
    """What chooses a task's epoch: its validation figure, or, where nothing is held out for it, its training loss; None: the last one."""
    if head.last:
        return None, "min"
    return (f"valid/{head.name}/{head.figure}", "max") if head.figure else (f"train/{head.name}", "min")


def _trainer(
    arguments: dict[str, Any], folder: Path, settings: ModelSettings, ours: list[lightning.Callback]
) -> lightning.Trainer:
    _known(arguments)
    given = {"max_epochs": EPOCHS, "enable_model_summary": False, "log_every_n_steps": 1, **arguments}
    loggers, callbacks = (
        [registry.import_and_build(one) for one in _components(given.pop(name, []))] for name in ("logger", "callbacks")
    )
    stop = EarlyStopping("valid/score", mode="max", patience=settings.patience, strict=False)
    try:
        return lightning.Trainer(
            **given,
            callbacks=[*ours, stop, EpochBar(), *callbacks],
            logger=loggers or False,
            default_root_dir=folder.parent,
            num_sanity_val_steps=0,
            enable_progress_bar=False,
            reload_dataloaders_every_n_epochs=1,
        )
    except _REFUSED as error:
        raise SettingsError("trainer: Lightning refuses these arguments", given=arguments, todo=str(error)) from error


def on_gpu(arguments: dict[str, Any]) -> bool:
    """Whether a Trainer of these arguments computes on a CUDA device; raises SettingsError as ``train`` does."""
    _known(arguments)
    wanted = {name: arguments[name] for name in ("accelerator", "devices") if name in arguments}
    try:
        with warnings.catch_warnings():
            _quiet()
            made = lightning.Trainer(**wanted, logger=False, enable_checkpointing=False)
    except _REFUSED as error:
        raise SettingsError("trainer: Lightning refuses these arguments", given=arguments, todo=str(error)) from error
    return bool(made.strategy.root_device.type == "cuda")


def _known(arguments: dict[str, Any]) -> None:
    allowed = set(inspect.signature(lightning.Trainer.__init__).parameters) - {"self"}
    for name, value in arguments.items():
        if name not in allowed:
            raise SettingsError(
                f"trainer.{name} is not an argument of lightning.Trainer", given=value, todo="see its documentation"
            )


def _components(given: Any) -> list[dict[str, Any]]:
    """Loggers and callbacks as ``{class_path, init_args}``, dotted names of Lightning's or anyone's."""
    return [one for one in (given if isinstance(given, list) else [given]) if isinstance(one, dict)]


def joined(parts: Sequence[tuple[Trained, Collection[str] | None]]) -> Trained:
    """Several models as one: each head with its vectors and curves as it is in the model that answers it, by name; everything else is that
    of the model that answers the others (None).
    """
    main = next(trained for trained, heads in parts if heads is None)
    owner = {name: trained for trained, heads in parts if heads is not None for name in heads}
    heads = [
        next(one for one in owner.get(mine.head.name, main).heads if one.head.name == mine.head.name) for mine in main.heads
    ]
    curves = [row for row in main.curves if not _tells_of(row, owner)]
    for trained, names in parts:
        curves += [row for row in trained.curves if names is not None and _tells_of(row, names)]
    return Trained(heads, main.embeddings, curves)


def _tells_of(row: tuple[int, str, float], heads: Collection[str]) -> bool:
    """Whether a row of curves, named ``valid/HEAD/figure`` or ``train/HEAD``, is of one of these heads."""
    what = row[1].partition("/")[2]
    return any(what == name or what.startswith(f"{name}/") for name in heads)


def restored(
    module: GraphModule,
    data: GraphData,
    folder: Path,
    curves: Sequence[tuple[int, str, float]] = (),
    only: Collection[str] | None = None,
) -> Trained:
    """The best epochs, from the checkpoints in ``folder``, of all heads or ``only`` those of these names; raises RunError where one is
    missing or of another model.
    """
    heads = []
    for i, head in enumerate(module.all_heads):
        if only is not None and head.name not in only:
            continue
        _restore(module, folder / f"best-{i}.ckpt")
        rows = embed(module, data)
        heads.append(TrainedHead(copy.deepcopy(head).cpu().eval(), {kind: rows[kind] for kind in head.kinds}))
    _restore(module, folder / "best.ckpt")
    return Trained(heads, embed(module, data), list(curves))


def _restore(module: GraphModule, path: Path) -> None:
    if not path.exists():
        raise RunError("a checkpoint is not there", given=path, todo="run `mmgraph fit --restart`")
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise RunError(f"{path} is of another model", given=error, todo="run `mmgraph fit --restart`") from error


@torch.no_grad()
def embed(module: GraphModule, data: GraphData) -> dict[str, Tensor]:
    """Embeddings of all items from the visible graph, kind -> float32 [items, width]."""
    module.eval()
    batch = data.whole.to(module.device)
    # cloned: without layers they may be a view of a parameter, which the next checkpoint overwrites
    return {kind: rows.float().cpu().clone() for kind, rows in module.network(batch).items()}
