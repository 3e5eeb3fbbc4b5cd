"""Which of several models: each is trained for all tasks, and validation takes one for every field and relation.

With few labels a layer without weights of its own (SGC, APPNP) may beat one with many by twenty points, or lose to it by ten; which, the
data say, and of links they may say otherwise. The test split is not read, and what is handed out is chosen among the network and its
baselines as ever.
"""

import logging
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path

import msgspec

from mmgraph.errors import SettingsError
from mmgraph.model.contract import Head
from mmgraph.model.train import Trained, joined
from mmgraph.runs import RunFolder, models_of, write_json
from mmgraph.settings import Settings

_log = logging.getLogger(__name__)
Train = Callable[[Settings, Path], Trained]


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


def choose_model(settings: Settings, run: RunFolder, train: Train) -> Trained:
    """Train every one of ``model.candidates`` by ``train(settings, folder)``; each field and relation is answered by that which validates
    best on it, and everything else is of that with the best mean. Their checkpoints are those of the run, by number, and ``models.json``
    says what each reached. A killed call goes on where it stopped; one in which the choice was made already trains the chosen alone.
    Without candidates it trains the model.

    Raises SettingsError where a model has nothing finite on validation to be chosen by.
    """
    if not settings.model.candidates:
        return train(settings, run.checkpoints)
    if run.checkpoints.exists():
        taken = models_of(run, settings.model)
        return joined([(train(one.within(settings), run.checkpoints / one.place), one.heads) for one in taken])
    found: list[Candidate] = []
    parts: dict[int, Trained] = {}
    for number, one in enumerate(settings.model.candidates):
        _log.info("model %d of %d: %s", number + 1, len(settings.model.candidates), one.name)
        parts[number] = train(msgspec.structs.replace(settings, model=settings.model.of(one)), run.tried / str(number))
        found = _taken([*found, _judged(one.name, parts[number])])
        parts = {place: trained for place, trained in parts.items() if found[place].chosen or found[place].heads}
    write_json(run.models, [asdict(one) for one in found])
    for number in range(len(found)):
        if number not in parts:
            shutil.rmtree(run.tried / str(number))
    run.tried.rename(run.checkpoints)
    return joined([(trained, None if found[number].chosen else found[number].heads) for number, trained in parts.items()])


def check_judged(heads: Iterable[Head]) -> None:
    """Raises SettingsError where no head of a model has anything on validation, so that none can be chosen; to be asked before training."""
    if not any(head.figure for head in heads):
        todo = "hold some out (split.links.valid, split.labels.valid), or give one model.layer"
        raise SettingsError("model.candidates: there is nothing on validation to choose a model by", todo=todo)


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


def _taken(found: Sequence[Candidate]) -> list[Candidate]:
    """With what each is taken for: a head by that with its highest figure, the main one where that has it too, else the first."""
    main = max(range(len(found)), key=lambda number: found[number].value)
    order = [main, *(number for number in range(len(found)) if number != main)]
    best = {what: max(order, key=lambda number: found[number].figures[what]) for what in found[0].figures}
    return [
        replace(one, chosen=number == main, heads=[what.rpartition(" ")[0] for what in best if best[what] == number])
        for number, one in enumerate(found)
    ]
