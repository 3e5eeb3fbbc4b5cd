"""The whole way of the data, on one screen. Start reading here."""

import logging
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import torch

from mmgraph import registry
from mmgraph.candidates import check_judged, choose_model, held_by
from mmgraph.catalogue.contract import Catalogue
from mmgraph.encode.tuning import Top
from mmgraph.errors import SettingsError
from mmgraph.evaluate.answers import Answers, answer
from mmgraph.evaluate.effects import Effect, Measurement
from mmgraph.graph.activations import tuned
from mmgraph.graph.build import build as build_graph
from mmgraph.graph.collect import Collected, stand_ins
from mmgraph.graph.contract import Graph
from mmgraph.graph.duplicates import with_duplicates
from mmgraph.graph.heterograph import save as save_graph
from mmgraph.graph.standardise import within_parents
from mmgraph.ingest import features as encoded
from mmgraph.ingest import read
from mmgraph.knock_outs import Change, Refit, knock_outs
from mmgraph.model.adapters.make import check_installed
from mmgraph.model.data import GraphData
from mmgraph.model.module import GraphModule
from mmgraph.model.train import Trained, check_trainer, joined, restored, train
from mmgraph.model.train import build as build_module
from mmgraph.outputs.duplicates import record_duplicates
from mmgraph.outputs.records import record_adaptation, record_graph, record_quarantine, record_versions
from mmgraph.outputs.running import interruptible, logged, unsaid
from mmgraph.outputs.write import record_knock_outs, write_answers, write_training
from mmgraph.runs import RunFolder, RunModel, answering, models_of, open_run, taken_before, write_json
from mmgraph.sample.asked import Asked
from mmgraph.settings import AdaptationSettings, ModelSettings, Settings
from mmgraph.split.contract import Split
from mmgraph.split.leaks import check
from mmgraph.split.links import check_shares
from mmgraph.split.make import make
from mmgraph.tasks.contract import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What ``fit`` gives: everything is in the run folder as well."""

    run: RunFolder
    answers: Answers
    quarantined: int


def fit(settings: Settings, restart: bool = False) -> Outcome:
    """From a folder of media to predicted links and labels; a killed run goes on where it stopped.

    Raises a child of MMGraphError for anything a person can mend.
    """
    tasks = [registry.create("task", task) for task in settings.tasks]
    if not tasks:
        raise SettingsError(
            "tasks is empty: there is nothing to train for",
            todo="ask for Links or Categories, or Masked or Bootstrap, which need no labels",
        )
    check_installed(settings.model.adaptation)
    _check_standardised(settings)
    check_shares(settings.split.links)
    check_trainer(settings.trainer, settings.model)
    run = open_run(settings, restart)
    with logged(run):
        catalogue, content = read(settings)
        for task in tasks:
            task.check(catalogue)
        check_beforehand(settings, catalogue, content, tasks)
        collected = encoded(settings, catalogue, content, taken_before(run))
        unread = catalogue.unread + tuple(collected.unread)
        record_quarantine(run, unread)
        record_versions(run, catalogue, settings.run.seed)
        write_json(run.encoders, collected.encoders)
        graph = assemble(settings, catalogue, collected, content)
        save_graph(graph, run.graph)
        record_duplicates(run, graph, catalogue)
        split = divide(settings, graph, tasks)
        record_graph(run, graph, split)
        with interruptible():
            trained = learn(settings, split, tasks, run, collected.tops)
        models = models_of(run, settings.model)
        settings = models[0].within(settings)
        write_training(run, graph, trained)
        tested: list[Measurement] | None = [] if settings.evaluate.knock_outs else None
        answers = answer(trained, split, settings.evaluate, settings.run.seed, tested)
        write_answers(run, answers, catalogue, settings)
        if tested is not None:
            with interruptible():
                found = knocked_out(settings, split, tasks, tested, models, collected.tops)
                record_knock_outs(run, found, catalogue, settings)
        return Outcome(run, answers, len(unread))


def check_beforehand(settings: Settings, catalogue: Catalogue, content: dict[str, str], tasks: list[Task]) -> None:
    """Raise, before anything is encoded, what of the settings would be wrong after it: the same way, with a single 0 as every vector.

    Tasks that ask for links which only the vectors tell are left out, and encoders are not trained.
    """
    features = stand_ins(catalogue)
    if not features:
        return
    with unsaid():
        graph = assemble(settings, catalogue, Collected(features=features), content)
        untold = {relation for relation, edges in graph.edges.items() if not len(edges)}
        told = [task for task in tasks if untold.isdisjoint(task.relations(graph))]
        split = divide(settings, graph, told)
        for model in settings.model.each:
            frozen = msgspec.structs.replace(model, adaptation=AdaptationSettings())
            module, _ = built(msgspec.structs.replace(settings, model=frozen), split, told, {})
            check_trainer(settings.trainer, model, module.all_heads)
            if settings.model.candidates and told == tasks:
                check_judged(module.all_heads)


def assemble(settings: Settings, catalogue: Catalogue, collected: Collected, content: dict[str, str]) -> Graph:
    """One heterograph, in which copies are known as such."""
    nearest = ("similar_where_few",) if settings.graph.similar == "auto" else ()
    builders = [registry.create("edge builder", edge) for edge in (*settings.graph.edges, *nearest)]
    by_parent = settings.graph.standardise == "parent"
    features = within_parents(catalogue, collected.features) if by_parent else collected.features
    graph = build_graph(catalogue, features, builders, content)
    return with_duplicates(graph, collected.fingerprints, settings.graph.near_duplicates)


def _check_standardised(settings: Settings) -> None:
    """Before anything is encoded."""
    tuning = ", ".join(tuned(settings.model.adaptation))
    if settings.graph.standardise != "none" and tuning:
        wrong = "graph.standardise takes stored vectors, not those of an encoder that is trained"
        todo = "set it to none, or the adaptation to frozen or adapter"
        raise SettingsError(wrong, given=f"model.adaptation: {tuning}", todo=todo)


def divide(settings: Settings, graph: Graph, tasks: list[Task]) -> Split:
    """Hold out what the tasks ask; a leak stops the run here."""
    for task in tasks:
        graph = task.prepared(graph)
    relations = [relation for task in tasks for relation in task.relations(graph)]
    fields = [field for task in tasks for field in task.fields(graph)]
    seed = settings.run.seed if settings.split.seed is None else settings.split.seed
    split = make(graph, relations, fields, settings.split, seed)
    if settings.split.check_leaks:
        return replace(split, notes=split.notes + check(graph, split, settings.split))
    return split


def learn(settings: Settings, split: Split, tasks: list[Task], run: RunFolder, tops: Mapping[str, Top]) -> Trained:
    """Train all tasks jointly on what may be seen; ``tops``: what of encoders is trained with them."""

    def trained(settings: Settings, folder: Path) -> Trained:
        module, data = built(settings, split, tasks, tops)
        record_adaptation(run, module.network.inputs.described)
        return train(module, data, settings.trainer, folder, settings.model)

    def again(
        settings: Settings, folder: Path, curves: Sequence[tuple[int, str, float]], only: Collection[str] | None
    ) -> Trained:
        module, data = built(settings, split, tasks, tops)
        return restored(module, data, folder, curves, only)

    held: dict[str, int] = {}
    if settings.model.candidates:
        heads = [head for task in tasks for head in task.heads(split, settings.model.each[0])]
        check_judged(heads)
        held = held_by(heads, split)
    return choose_model(settings, run, trained, again, held)


def knocked_out(
    settings: Settings,
    split: Split,
    tasks: Sequence[Task],
    tested: Sequence[Measurement],
    models: Sequence[RunModel],
    tops: Mapping[str, Top],
    each_relation: bool = False,
) -> list[Effect]:
    """What each part is worth that the run's models were trained with, ``tested`` being what they reached on the test split."""
    layers = any(one.model.layers for one in models)
    return knock_outs(settings, split, tasks, tested, refitted(settings, models, tops), each_relation, layers)


def refitted(settings: Settings, models: Sequence[RunModel], tops: Mapping[str, Top]) -> Refit:
    """Trains as ``learn`` does, each of the run's models for what it answers, and keeps nothing on disk."""

    def trained(model: ModelSettings, split: Split, tasks: Sequence[Task]) -> Trained:
        module, data = built(msgspec.structs.replace(settings, model=model), split, tasks, tops)
        with tempfile.TemporaryDirectory() as folder:
            return train(module, data, settings.trainer, Path(folder) / "checkpoints", model)

    def refit(change: Change, split: Split, tasks: Sequence[Task]) -> Trained:
        heads = {head.name for task in tasks for head in task.heads(split, settings.model)}
        return joined([(trained(change(one.model), split, tasks), one.heads) for one in answering(models, heads)])

    return refit


def built(settings: Settings, split: Split, tasks: Sequence[Task], tops: Mapping[str, Top]) -> tuple[GraphModule, GraphData]:
    """The untrained module, and the batches that train it."""
    torch.manual_seed(settings.run.seed)
    heads = [head for task in tasks for head in task.heads(split, settings.model)]
    module = build_module(split.visible, heads, settings.model, settings.run.seed, tops)
    asked = Asked(
        [one for task in tasks for one in task.asked_links(split)],
        [one for task in tasks for one in task.asked_labels(split)],
        [one for task in tasks for one in task.asked_triples(split)],
    )
    whole_only, supervise = any(head.always for head in heads), settings.split.links.supervise
    data = GraphData(split.visible, asked, settings.model, supervise, settings.run.seed, whole_only)
    return module, data
