"""What links, each modality and joint training are worth: the model is fitted again without each, on the same split.

Vectors are stored, so a fit is training and evaluation alone. Every fit has the seed of the run; how much of a difference is chance of
training the intervals do not say.
"""

import functools
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from mmgraph.evaluate.answers import answer
from mmgraph.evaluate.effects import Effect, Measurement, What, effects, over_baselines
from mmgraph.graph.contract import Features, Graph
from mmgraph.model.train import Trained
from mmgraph.settings import AdaptSettings, ApartSettings, BatchSettings, ContrastSettings, ModelSettings, Settings
from mmgraph.split.contract import Split
from mmgraph.tasks.contract import Task
from mmgraph.types import Relation

_log = logging.getLogger(__name__)
Change = Callable[[ModelSettings], ModelSettings]
Refit = Callable[[Change, Split, Sequence[Task]], Trained]  # every model of the run, changed


@dataclass(frozen=True)
class Variant:
    """One fit without something. ``tasks`` are those that it is trained for and answers; change: what is done to each model."""

    what: What
    name: str
    split: Split
    tasks: tuple[Task, ...]
    change: Change


def knock_outs(
    settings: Settings,
    split: Split,
    tasks: Sequence[Task],
    whole: Sequence[Measurement],
    refit: Refit,
    each_relation: bool = False,
    layers: bool = True,
) -> list[Effect]:
    """The whole table, ``whole`` being what the run itself reached on the test split; ``each_relation`` on its own as well. layers: whether
    any of the run's models passes messages.
    """
    found = over_baselines(whole, settings.evaluate)
    variants = list(variants_of(settings.run.seed, split, tasks, each_relation, layers))
    for number, one in enumerate(variants, 1):
        _log.info("knock-out %d of %d: %s %s", number, len(variants), one.what, one.name)
        tested: list[Measurement] = []
        quick = msgspec.structs.replace(settings.evaluate, bootstrap=0, sampled=0)
        answer(refit(one.change, one.split, one.tasks), one.split, quick, settings.run.seed, tested)
        found += effects(whole, tested, one.what, one.name, settings.evaluate)
    return found


def variants_of(
    seed: int, split: Split, tasks: Sequence[Task], each_relation: bool = False, layers: bool = True
) -> Iterator[Variant]:
    """Without links; without each modality, and with vectors of other items in its place; each task alone.

    Labels without links see no link at all but those that say what a whole consists of, and are trained alone. Links that are asked
    cannot be taken away: there it is message passing that is, and every other relation.
    """
    graph = split.visible
    labelled = tuple(task for task in tasks if task.fields(graph))
    linked = tuple(task for task in tasks if task.relations(graph))
    for some, name in ((labelled, "links"), (linked, "messages and other links")):
        if some and (layers or len(graph.edges) > len(_kept(graph, some))):
            yield Variant("links", name, _with_edges(split, _kept(graph, some)), some, without_layers)
    every = tuple(tasks)
    answering = tuple(task for task in tasks if task in labelled or task in linked)
    for modality in sorted({modality for (_, modality), one in graph.features.items() if one.present.any()}):
        gone, shuffled = without_modality(graph, modality), at_random(graph, modality, seed)
        frozen = functools.partial(_frozen, modality=modality)
        some = (
            every if gone.features else answering
        )  # without any features nothing can be masked, and nothing else is answered
        if some:
            yield Variant("modality", modality, replace(split, visible=gone), some, frozen)
        yield Variant("random", modality, replace(split, visible=shuffled), every, same)
    asked = _kept(graph, every)
    for relation in graph.edges if each_relation else ():
        if relation not in asked:
            yield Variant("relation", str(relation), _with_edges(split, graph.edges.keys() - {relation}), every, same)
    for task in answering if len(tasks) > 1 else ():
        yield Variant("joint", "joint", split, (task,), same)


def same(model: ModelSettings) -> ModelSettings:
    """The model as it is."""
    return model


def without_layers(model: ModelSettings) -> ModelSettings:
    """The same model without message passing, and so without what only messages have."""
    batches = BatchSettings(size=model.batches.size)
    told = {"contrast": ContrastSettings(), "apart": ApartSettings(), "valued": (), "prune": 0.0}
    return msgspec.structs.replace(model, layer="none", time="none", batches=batches, **told)


def without_modality(graph: Graph, modality: str) -> Graph:
    """No item has the modality, and edges that were built of it are gone, also where another had a part in them."""
    return replace(
        _without_built_of(graph, modality), features={key: one for key, one in graph.features.items() if key[1] != modality}
    )


def at_random(graph: Graph, modality: str, seed: int) -> Graph:
    """Items that have the modality have each other's vectors, dealt anew within each kind: as many numbers of the same distribution,
    which say nothing. Edges that were built of it are gone.
    """
    rng = np.random.default_rng([seed, 0x5EED])
    dealt = {key: _dealt(one, rng) if key[1] == modality else one for key, one in graph.features.items()}
    return replace(_without_built_of(graph, modality), features=dealt)


def _dealt(one: Features, rng: np.random.Generator) -> Features:
    place = np.arange(len(one.present))
    have = np.flatnonzero(one.present)
    place[have] = rng.permutation(have)
    stored = None if one.activations is None else one.activations[place]
    return replace(one, vectors=np.asarray(one.vectors)[place], activations=stored)


def _without_built_of(graph: Graph, modality: str) -> Graph:
    built = {r for r, one in graph.edges.items() if one.built_by == "similar" and r.name == f"similar_{modality}"}
    fused = {r for r, e in graph.edges.items() if e.built_by == "item_graph" and modality in graph.features_of(r.source)}
    nothing = np.zeros(0, np.int64)  # the network asks for the relation by its name
    return graph.with_edges({r: e.take(nothing) if r in fused else e for r, e in graph.edges.items() if r not in built})


def _kept(graph: Graph, tasks: Sequence[Task]) -> set[Relation]:
    """Relations that the tasks cannot do without: those that are asked, and those that say what a whole consists of."""
    return {relation for task in tasks for relation in (*task.relations(graph), *task.composed(graph))}


def _with_edges(split: Split, kept: Collection[Relation]) -> Split:
    edges = {relation: one for relation, one in split.visible.edges.items() if relation in kept}
    return replace(split, visible=split.visible.with_edges(edges))


def _frozen(model: ModelSettings, modality: str) -> ModelSettings:
    adaptation = model.adaptation
    if not isinstance(getattr(adaptation, modality, None), AdaptSettings):
        return model
    return msgspec.structs.replace(model, adaptation=msgspec.structs.replace(adaptation, **{modality: AdaptSettings()}))
