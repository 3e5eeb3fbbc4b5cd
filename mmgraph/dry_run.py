"""``mmgraph fit --dry-run``: what a fit would take of memory and time, said before it is done. Nothing is written to run.dir."""

import logging
import time
from dataclasses import dataclass, replace

import msgspec
from rich.table import Table

from mmgraph import registry
from mmgraph.encode.hub import stay_offline
from mmgraph.errors import ModelError, SettingsError
from mmgraph.evaluate.answers import answer
from mmgraph.graph.activations import tuned
from mmgraph.graph.collect import Collected, Foreseen, foresee
from mmgraph.graph.contract import Graph
from mmgraph.ingest import read, store_folder
from mmgraph.model.choose import Room
from mmgraph.model.data import GraphData, check_fanouts
from mmgraph.model.estimate import Need, estimate
from mmgraph.model.module import GraphModule
from mmgraph.model.rehearse import Rehearsed, rehearse
from mmgraph.model.train import Trained, check_trainer, on_gpu
from mmgraph.outputs.estimate import graph_table, memory_table, spoken, time_table
from mmgraph.pipeline import assemble, built, divide
from mmgraph.settings import Settings
from mmgraph.split.contract import Split
from mmgraph.tasks.contract import Task
from mmgraph.types import Ints

log = logging.getLogger(__name__)
_ASKED = 400  # held-out links and labels up to which evaluation is timed as a whole
_SHARES = (0.25, 0.75)  # of _ASKED that are evaluated where there are more


@dataclass(frozen=True)
class Foretold:
    """What a fit would do. needs: by mode, those that can be; mode: which one is taken; evaluation: seconds; took: of all this.

    Of several models (``model.candidates``) all of this is of the one that needs most, and others: seconds of training the rest.
    """

    graph: Graph
    encoding: Foreseen
    needs: list[Need]
    room: Room
    mode: str
    training: Rehearsed
    evaluation: float
    took: float
    others: float = 0.0

    @property
    def encoding_s(self) -> float:
        """Seconds of decoding and encoding what the store lacks."""
        return sum(count * self.encoding.seconds[modality] for modality, count in self.encoding.lacking.items())

    @property
    def total_s(self) -> float:
        """Seconds of the whole fit, without reading the files and writing tables and the report."""
        return self.encoding_s + self.training.total + self.others + self.evaluation


def foretell(settings: Settings) -> Foretold:
    """Read, split and train for a few steps; what is not encoded yet is replaced by random vectors of the same width.

    Raises what ``fit`` raises before training; SettingsError for encoders that are to be trained, whose activations cannot be
    made up.
    """
    start = time.perf_counter()
    if tuned(settings.model.adaptation):
        todo = "set model.adaptation to frozen or adapter; `mmgraph fit` itself says what tuning takes, before it encodes"
        raise SettingsError("a dry run cannot foresee an encoder that is trained", todo=todo)
    tasks = [registry.create("task", task) for task in settings.tasks]
    if not tasks:
        raise SettingsError("tasks is empty: there is nothing to train for", todo="ask for Links or Categories")
    if settings.encoders.offline:
        stay_offline()
    catalogue, content = read(settings)
    for task in tasks:
        task.check(catalogue)
    seen = foresee(catalogue, content, settings.encoders, settings.media, store_folder(settings))
    graph = assemble(settings, catalogue, Collected(features=seen.features), content)
    split = divide(settings, graph, tasks)
    each = [_rehearsed(msgspec.structs.replace(settings, model=model), split, tasks) for model in settings.model.each]
    room, needs, mode, training = max(
        each, key=lambda one: max((need.total for need in one[1] if need.mode == one[2]), default=0)
    )
    evaluation = _evaluated(training.trained, split, settings)
    others = sum(one[3].total for one in each) - training.total
    took = time.perf_counter() - start
    return Foretold(split.visible, seen, needs, room, mode, training, evaluation, took, others)


def _rehearsed(settings: Settings, split: Split, tasks: list[Task]) -> tuple[Room, list[Need], str, Rehearsed]:
    """Of one model."""
    module, data = built(settings, split, tasks, {})
    check_trainer(settings.trainer, settings.model, module.all_heads)
    room = Room.there(settings.model.batches, on_gpu(settings.trainer))
    needs = _needs(module, data, settings)
    training = rehearse(module, data, settings.trainer, settings.model)
    if data.row_wise:
        needs.append(estimate(module, data, data.mode, settings.model, by_row=True))
    return room, needs, needs[-1].mode if data.row_wise else data.mode, training


def _needs(module: GraphModule, data: GraphData, settings: Settings) -> list[Need]:
    """Of every mode that these tasks and this model can be trained in."""
    modes = ["steps"] if data.asked.triples or data.passing else ["full", "steps", "neighbours"]
    if any(head.always for head in module.all_heads):
        modes = [mode for mode in modes if mode != "neighbours"]
    try:
        check_fanouts(settings.model)
    except SettingsError:
        modes = [mode for mode in modes if mode != "neighbours"]
    needs = []
    for mode in modes:
        try:
            needs.append(estimate(module, data, mode, settings.model))
        except ModelError as error:
            log.warning("%s: %s", mode, error)
    return needs


def _evaluated(trained: Trained, split: Split, settings: Settings) -> float:
    """Seconds of evaluation, of all baselines too: a part that does not depend on the number of questions, and one that does."""
    asked = sum(len(one.valid) + len(one.test) for one in split.links.values())
    asked += sum(len(one.valid) + len(one.test) for one in split.labels.values())
    if asked <= _ASKED:
        return _answered(trained, split, settings)
    shares = [share * _ASKED / asked for share in _SHARES]
    few, more = (_answered(trained, _part(split, share), settings) for share in shares)
    slope = max(more - few, 0.0) / (shares[1] - shares[0])
    return more + slope * (1 - shares[1])


def _answered(trained: Trained, split: Split, settings: Settings) -> float:
    start = time.perf_counter()
    answer(trained, split, settings.evaluate, settings.run.seed)
    return time.perf_counter() - start


def _part(split: Split, share: float) -> Split:
    """A share of what is held out, and all that is visible."""

    def some(rows: Ints) -> Ints:
        return rows[: max(1, round(share * len(rows)))]

    links = {key: replace(one, valid=some(one.valid), test=some(one.test)) for key, one in split.links.items()}
    labels = {key: replace(one, valid=some(one.valid), test=some(one.test)) for key, one in split.labels.items()}
    return replace(split, links=links, labels=labels)


def tables(told: Foretold) -> list[Table]:
    """All of it, for a terminal."""
    training = told.training
    steps = "1 step" if training.steps == 1 else f"{training.steps} steps"
    rows = [
        (
            f"encoding {count:,} of {modality} ({spoken(told.encoding.seconds[modality])} each)",
            count * told.encoding.seconds[modality],
        )
        for modality, count in told.encoding.lacking.items()
    ]
    rows += [
        (f"one epoch ({steps} of {spoken(training.step)}, {spoken(training.rest)} beside)", training.epoch),
        (f"training, {training.epochs} epochs unless it stops early", training.total),
        *([("training, the other models", told.others)] if told.others else []),
        ("evaluation, with baselines", told.evaluation),
        ("fit, without reading files and writing tables", told.total_s),
    ]
    known = told.needs or training.grown is not None
    memory = [memory_table(told.needs, told.mode, training.grown)] if known else []
    return [graph_table(told.graph), *memory, time_table(rows)]
