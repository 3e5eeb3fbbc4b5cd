"""Which of several models: each is trained for all tasks, and validation takes one, or another for a field or relation that wants it.

With few labels a layer without weights of its own (SGC, APPNP) may beat one with many by twenty points, or lose to it by ten; which, the
data say, and of links they may say otherwise. The test split is not read, and what is handed out is chosen among the network and its
baselines as ever.
"""

import logging
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite, sqrt
from pathlib import Path

import msgspec
import numpy as np

from mmgraph.errors import SettingsError
from mmgraph.model.contract import Head
from mmgraph.model.train import Trained, joined
from mmgraph.runs import RunFolder, RunModel, models_of, write_json
from mmgraph.settings import Settings
from mmgraph.split.contract import Split
from mmgraph.tasks.contract import FactsHead, RelationHead
from mmgraph.tasks.recommend import RecommendHead
from mmgraph.tasks.self_supervised import SelfSupervised

_log = logging.getLogger(__name__)
Train = Callable[[Settings, Path], Trained]  # into a folder
Restore = Callable[
    [Settings, Path, Sequence[tuple[int, str, float]], Collection[str] | None], Trained
]  # from one; see train.restored


@dataclass(frozen=True)
class Candidate:
    """A model that was tried. figures: the best on validation of each field and relation, by its name and metric; value: their mean;
    chosen: whether it is the main one, that with the highest mean; heads: the fields and relations that it answers.
    """

    name: str
    figures: Mapping[str, float]
    value: float
    chosen: bool = False
    heads: Sequence[str] = ()


def choose_model(settings: Settings, run: RunFolder, train: Train, restore: Restore, held: Mapping[str, int]) -> Trained:
    """Train every one of ``model.candidates``, one in memory at a time, and restore those that were chosen. The one with the best mean
    figure is the main one; another answers a field or relation where it validates better on it by more than a standard error. Their
    checkpoints are those of the run, by number, and ``models.json`` says what each reached. A killed call goes on where it stopped; one in
    which the choice was made already trains the chosen alone. Without candidates it trains the model. held: see ``held_by``.

    Raises SettingsError where a model has nothing finite on validation to be chosen by.
    """
    if not settings.model.candidates:
        return train(settings, run.checkpoints)
    if run.checkpoints.exists():
        taken = models_of(run, settings.model)
        return joined([(train(one.within(settings), run.checkpoints / one.place), one.heads) for one in taken])
    found, curves = list[Candidate](), []
    for number, one in enumerate(settings.model.candidates):
        _log.info("model %d of %d: %s", number + 1, len(settings.model.candidates), one.name)
        trained = train(msgspec.structs.replace(settings, model=settings.model.of(one)), run.tried / str(number))
        found.append(_judged(one.name, trained))
        curves.append(trained.curves)
        del trained
    found = _taken(found, held)
    write_json(run.models, [asdict(one) for one in found])
    run.tried.rename(run.checkpoints)  # before any is removed: from a part of its checkpoints a killed call could not go on
    for number, candidate in enumerate(found):
        if not candidate.chosen and not candidate.heads:
            shutil.rmtree(run.checkpoints / str(number))

    def restored(one: RunModel) -> Trained:
        return restore(one.within(settings), run.checkpoints / one.place, curves[int(one.place)], one.heads)

    return joined([(restored(one), one.heads) for one in models_of(run, settings.model)])


def check_judged(heads: Iterable[Head]) -> None:
    """Raises SettingsError where no head of a model has anything on validation, so that none can be chosen; to be asked before training."""
    if not any(head.figure for head in heads):
        todo = "hold some out (split.links.valid, split.labels.valid), or give one model.layer"
        raise SettingsError("model.candidates: there is nothing on validation to choose a model by", todo=todo)


def held_by(heads: Iterable[Head], split: Split) -> dict[str, int]:
    """Over how many items, links or users the figure of each head is the mean, by its name; 0 where it is no mean (ratings). Heads that
    answer nothing are not in it.
    """
    labels = {target: len(one.valid) for target, one in split.labels.items()}
    return {one.name: _over(one, split, labels) for one in heads if not isinstance(one, SelfSupervised)}


def _over(head: Head, split: Split, labels: Mapping[str, int]) -> int:
    if isinstance(head, RecommendHead):
        asked = split.links[head.relation]
        return len(np.unique(asked.edges.source[asked.valid]))
    if isinstance(head, RelationHead | FactsHead):
        relations = head.relations if isinstance(head, FactsHead) else (head.relation,)
        return sum(len(split.links[relation].valid) for relation in relations)
    return labels.get(head.name, 0)


def _judged(name: str, trained: Trained) -> Candidate:
    """By the epoch that was best for each head, which is the one that is handed out."""
    figures = {}
    for head in (one.head for one in trained.heads if one.head.figure):
        values = [value for _, what, value in trained.curves if what == f"valid/{head.name}/{head.figure}" and isfinite(value)]
        if not values:
            wrong = f"model.candidates: {name} has no finite {head.figure} of {head.name} on validation"
            raise SettingsError(wrong, todo="lower its learning_rate or leave it out, and begin anew with --restart")
        figures[f"{head.name} {head.figure}"] = max(values)
    return Candidate(name, figures, sum(figures.values()) / len(figures))


def _taken(found: Sequence[Candidate], held: Mapping[str, int]) -> list[Candidate]:
    """With what each is taken for; what answers nothing (a name that ``held`` has not) is not asked of another than the main one."""
    main = max(range(len(found)), key=lambda number: found[number].value)
    heads: list[list[str]] = [[] for _ in found]
    for what in found[0].figures:
        name = what.rpartition(" ")[0]
        number = best([one.figures[what] for one in found], main, held[name]) if name in held else main
        heads[number].append(name)
    return [replace(one, chosen=number == main, heads=heads[number]) for number, one in enumerate(found)]


def best(figures: Sequence[float], main: int, count: int) -> int:
    """Which of several has the highest figure, the mean over ``count`` items; ``main`` unless it is passed by more than a standard error of
    that (the one-standard-error rule of Breiman et al. 1984, Classification and Regression Trees, section 3.4.3).

    Of numbers from 0 to 1 with the mean p the variance is at most p (1 - p) (Bhatia and Davis 2000), which it is for what is right or
    wrong; a figure of another range, and one over an unknown number of items (0), is taken as it is.

    >>> best([0.30, 0.32], 0, 60), best([0.69, 0.87], 0, 202), best([0.30, 0.32], 0, 0)
    (0, 1, 1)
    """
    highest = max(range(len(figures)), key=lambda number: (figures[number], number == main))
    p = figures[highest]
    error = sqrt(max(p * (1 - p), 0.0) / count) if count else 0.0
    return highest if p - figures[main] > error else main
