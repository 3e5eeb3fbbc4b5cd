"""A finished run, opened again: the same graph, split and trained model, without training."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd

from mmgraph import registry
from mmgraph.catalogue.answers import read_answers
from mmgraph.catalogue.contract import Catalogue, items_frame
from mmgraph.catalogue.new_links import read_new_links
from mmgraph.encode.tuning import Top
from mmgraph.errors import RunError
from mmgraph.evaluate.again import Everyone, answer_again, everyone_again, report_of
from mmgraph.evaluate.answers import Answers, LinkAnswer, answer
from mmgraph.evaluate.contract import Row
from mmgraph.evaluate.effects import Effect, Measurement
from mmgraph.evaluate.evidence import EvidenceReport
from mmgraph.evaluate.reliability import Trust, from_record
from mmgraph.graph.contract import Graph, Labels
from mmgraph.graph.grown import grown
from mmgraph.graph.heterograph import load as load_graph
from mmgraph.ingest import as_taken, features, read
from mmgraph.model.train import Trained, joined, restored
from mmgraph.outputs.reading import read_run
from mmgraph.outputs.running import not_again
from mmgraph.outputs.write import record_knock_outs
from mmgraph.pipeline import assemble, built, divide, knocked_out
from mmgraph.runs import RunFolder, RunModel, finished_run, models_of, read_json, settings_of
from mmgraph.settings import Settings
from mmgraph.split.answered import answered
from mmgraph.split.contract import Split
from mmgraph.split.grown import grown_split
from mmgraph.split.make import hidden, made_again
from mmgraph.split.new_links import Linked, linked
from mmgraph.types import Bools, Relation

SAME = 1e-6  # two numbers that differ by no more are the same; other processors add up in another order


@dataclass(frozen=True)
class Reopened:
    """Everything that ``fit`` had when it had trained; ``graph`` is the whole, with what is held out. settings: with the main model."""

    run: RunFolder
    settings: Settings
    graph: Graph
    split: Split
    trained: Trained
    catalogue: Catalogue
    tops: Mapping[str, Top]
    models: Sequence[RunModel]


def reopen(path: Path) -> Reopened:
    """Read, assemble and divide as ``fit`` did, and load the checkpoints; what is not in the store any more is encoded again.

    Raises RunError for a folder that is no finished run, or where the data have changed since; SettingsError and others as
    ``fit`` does.
    """
    run, settings = finished_run(path)
    taken = read_json(run.encoders)
    with not_again(run):
        catalogue, content = read(settings)
        collected = features(settings, catalogue, content, taken)
        settings = as_taken(settings, taken)
        graph = assemble(settings, catalogue, collected, content)
        graph, split, catalogue = with_links(run, settings, graph, catalogue)
        _same(load_graph(run.graph), graph)
        split = with_answers(run, split, graph, settings.split.labels.group)
        models = models_of(run, settings_of(run).model)
        trained = _trained(run, settings, models, split, collected.tops)
        return Reopened(run, settings, graph, split, trained, catalogue, collected.tops, models)


def _trained(run: RunFolder, settings: Settings, models: Sequence[RunModel], split: Split, tops: Mapping[str, Top]) -> Trained:
    """From the checkpoints of a run, each of its models for what it answers."""
    tasks = [registry.create("task", task) for task in settings.tasks]

    def one(model: RunModel) -> Trained:
        module, data = built(model.within(settings), split, tasks, tops)
        return restored(module, data, run.checkpoints / model.place, only=model.heads)

    return joined([(one(model), model.heads) for model in models])


def with_links(run: RunFolder, settings: Settings, graph: Graph, catalogue: Catalogue) -> tuple[Graph, Split, Catalogue]:
    """The graph and its split, with the links that the run has been given since it was fitted."""
    if not run.new_links.exists():
        return graph, _divided(settings, graph), catalogue
    split = None if divides_anew(settings) else _divided(settings, graph)
    given = linked(graph, split, read_new_links(run.new_links, ()), catalogue.repeated)
    return joined_with(settings, graph, split, catalogue, given)


def divides_anew(settings: Settings) -> bool:
    """Whether new links move what is held out: where that is always what is newest."""
    return settings.split.links.method in ("time", "leave_last")


def joined_with(
    settings: Settings, graph: Graph, split: Split | None, catalogue: Catalogue, given: Linked
) -> tuple[Graph, Split, Catalogue]:
    """The whole graph with new links and items; its split, made anew where there is none; and the catalogue with the new items."""
    whole = grown(graph, given.more, given.edges)
    whole = whole.with_edges(made_again(whole, graph.edges, whole.edges, []))
    now = _divided(settings, whole) if split is None else grown_split(split, given.more, given.edges)
    new = items_frame([{"id": name, "kind": kind} for kind, names in given.more.items() for name in names])
    items = pd.concat([catalogue.items, new], ignore_index=True) if len(new) else catalogue.items
    return whole, now, replace(catalogue, items=items)


def _divided(settings: Settings, graph: Graph) -> Split:
    """Without the leak check: what is opened was checked, and what is new is checked when it comes."""
    tasks = [registry.create("task", task) for task in settings.tasks]
    unchecked = msgspec.structs.replace(settings.split, check_leaks=False)
    return divide(msgspec.structs.replace(settings, split=unchecked), graph, tasks)


def with_answers(run: RunFolder, split: Split, graph: Graph, group: str) -> Split:
    """The split with the labels that people have given the run since it was fitted."""
    if not run.answers.exists():
        return split
    return answered(split, graph, read_answers(run.answers), group, new_classes=True).split


def with_hidden(opened: Reopened, relation: Relation, links: Bools) -> Reopened:
    """The same trained model on a graph without the links that ``links`` (bool [links of the relation]) marks, nor what is derived from
    them; it was trained with those of them that are train links.
    """
    split = hidden(opened.split, relation, links)
    return replace(opened, split=split, trained=_trained(opened.run, opened.settings, opened.models, split, opened.tops))


def _same(before: Graph, now: Graph) -> None:
    other = next((f"items of kind {kind}" for kind in {**before.ids, **now.ids} if not _equal_ids(before, now, kind)), None)
    for relation in {**before.edges, **now.edges}:
        one, two = before.edges.get(relation), now.edges.get(relation)
        if other is None and (one is None or two is None or not _equal(one.source, two.source, one.target, two.target)):
            other = f"links of {relation}"
    for key in {**before.labels, **now.labels}:
        if other is None and not _equal_labels(before.labels.get(key), now.labels.get(key)):
            other = f"labels of {'.'.join(key)}"
    if other is not None:
        raise RunError("the data are not those of the run any more", given=f"other {other}", todo="run `mmgraph fit` again")


def _equal_ids(before: Graph, now: Graph, kind: str) -> bool:
    return kind in before.ids and kind in now.ids and bool(np.array_equal(before.ids[kind], now.ids[kind]))


def _equal_labels(before: Labels | None, now: Labels | None) -> bool:
    if before is None or now is None or tuple(before.classes) != tuple(now.classes):
        return False
    every = np.arange(len(before.values))
    return _equal(before.values, now.values) and bool(np.array_equal(before.has(every), now.has(every)))


def _equal(*pairs: "np.ndarray") -> bool:
    return all(np.array_equal(one, two) for one, two in zip(pairs[::2], pairs[1::2], strict=True))


def ablate(path: Path, each_relation: bool = False) -> list[Effect]:
    """What links, each modality and joint training are worth in a finished run; written into it, and into its report."""
    opened = reopen(path)
    settings, tested = opened.settings, list[Measurement]()
    answer(opened.trained, opened.split, settings.evaluate, settings.run.seed, tested)
    tasks = [registry.create("task", task) for task in settings.tasks]
    found = knocked_out(settings, opened.split, tasks, tested, opened.models, opened.tops, each_relation)
    record_knock_outs(opened.run, found, opened.catalogue, settings)
    return found


def evaluate_again(path: Path) -> tuple[Answers, float]:
    """Measure a finished run again from its checkpoints: the answers, and the largest difference to its metrics.json."""
    opened = reopen(path)
    answers = answer(opened.trained, opened.split, opened.settings.evaluate, opened.settings.run.seed)
    return answers, largest_difference(read_run(opened.run).rows, answers.rows)


def same_numbers(apart: float) -> str:
    """One sentence; raises RunError where the numbers are others."""
    if apart <= SAME:
        return f"the numbers are those of metrics.json (largest difference {apart:.1g})"
    todo = "another machine, number of threads or version of a package adds up in another order; else run `mmgraph fit` again"
    raise RunError("the numbers are not those of metrics.json", given=f"largest difference {apart:.3g}", todo=todo)


def largest_difference(before: Sequence[Row], now: Sequence[Row]) -> float:
    """Of any value or end of an interval; infinite where one has a row that the other has not.

    >>> from dataclasses import replace
    >>> row = Row("links", "a/r/b", "test", "gnn", "mrr", 0.5, 0.25, 0.75, 3)
    >>> largest_difference([row], [replace(row, low=0.375)]), largest_difference([row], [])
    (0.125, inf)
    """
    first, second = (
        {(r.task, r.target, r.split, r.method, r.metric, r.group, r.n): r for r in rows} for rows in (before, now)
    )
    if first.keys() != second.keys():
        return math.inf
    return max((_apart(one, second[key]) for key, one in first.items()), default=0.0)


def _apart(one: Row, two: Row) -> float:
    each = ((one.value, two.value), (one.low, two.low), (one.high, two.high))
    return max(0.0 if a is b is None else math.inf if a is None or b is None else abs(a - b) for a, b in each)


def relations_of(path: Path) -> dict[Relation, Trust]:
    """The target relations of a finished run, and how far the probabilities of each can be trusted."""
    run, _ = finished_run(path)
    try:
        told = (one for one in read_json(run.calibration) if "field" not in one)
        return {Relation.parse(one["relation"]): from_record(one) for one in told}
    except (KeyError, TypeError) as error:
        raise RunError(f"{run.calibration} is broken", given=error, todo="run `mmgraph fit` again") from error


def link_answer(path: Path, relation: str | None) -> LinkAnswer:
    """What a finished run answers about one of its target relations, which may be left out where there is one.

    Raises RunError for another relation.
    """
    trusted = relations_of(path)
    chosen = _chosen(trusted, relation)
    opened = reopen(path)
    settings, seed = opened.settings.evaluate, opened.settings.run.seed
    return answer_again(opened.trained, opened.split, settings, seed, reports_of(opened.run), trusted[chosen], chosen)


def answer_of(opened: Reopened, relation: Relation) -> LinkAnswer:
    """What an opened run answers about one of its target relations; raises RunError where it says nothing of which links there are."""
    settings, seed = opened.settings.evaluate, opened.settings.run.seed
    trusted = relations_of(opened.run.path).get(relation)
    if trusted is None:
        todo = "fit Recommend or Links; what the task Ratings expects is in predictions/ratings"
        raise RunError("the run was not trained to say which links of this relation there are", given=relation, todo=todo)
    return answer_again(opened.trained, opened.split, settings, seed, reports_of(opened.run), trusted, relation)


def everyone(opened: Reopened, relation: Relation, trusted: Trust) -> Everyone:
    """Every method of a relation, on what the split of ``opened`` shows."""
    settings, seed = opened.settings.evaluate, opened.settings.run.seed
    return everyone_again(opened.trained, opened.split, settings, seed, reports_of(opened.run), trusted, relation)


def reports_of(run: RunFolder) -> list[EvidenceReport]:
    """What validation chose for every question of a finished run; raises RunError where the file is broken."""
    try:
        return [report_of(one) for one in read_json(run.evidence)]
    except (KeyError, TypeError) as error:
        raise RunError(f"{run.evidence} is broken", given=error, todo="run `mmgraph fit` again") from error


def _chosen(known: dict[Relation, Trust], relation: str | None) -> Relation:
    names = {str(one): one for one in known}
    if relation is None and len(known) == 1:
        return next(iter(known))
    if relation in names:
        return names[relation]
    if not names:
        todo = "what it says of items is in its predictions/, and of unlabelled ones `mmgraph label` says more"
        raise RunError("the run was trained to predict no relation", given=relation, todo=todo)
    todo = f"there are: {', '.join(names)}"
    if relation is None:
        raise RunError("the run answers about several relations", todo=f"name one by --relation; {todo}")
    raise RunError("the run was not trained to predict this relation", given=relation, todo=todo)
