"""Which of several models: each is trained, and validation takes one.

With few labels a layer without weights of its own (SGC, APPNP) may beat one with many by twenty points, or lose to it by ten; which, the
data say. The test split is not read, and what is handed out is chosen among the network and its baselines as ever.
"""

import logging
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path

import msgspec

from mmgraph.errors import SettingsError
from mmgraph.model.contract import Head
from mmgraph.model.train import Trained
from mmgraph.runs import RunFolder, with_chosen, write_json
from mmgraph.settings import Settings

_log = logging.getLogger(__name__)
Train = Callable[[Settings, Path], Trained]


@dataclass(frozen=True)
class Candidate:
    """A model that was tried. figures: the best on validation of each field and relation, by its name and metric; value: their mean."""

    name: str
    figures: Mapping[str, float]
    value: float
    chosen: bool = False


def choose_model(settings: Settings, run: RunFolder, train: Train) -> Trained:
    """Train every one of ``model.candidates`` by ``train(settings, folder)``, and keep the best: its checkpoints are those of the run, and
    ``models.json`` says what each reached. A killed call goes on where it stopped; one in which the choice was made already trains the
    chosen one alone. Without candidates it trains the model.

    Raises SettingsError where a model has nothing finite on validation to be chosen by.
    """
    if not settings.model.candidates or run.checkpoints.exists():
        if run.tried.exists():
            shutil.rmtree(run.tried)
        return train(with_chosen(run, settings), run.checkpoints)
    found: list[Candidate] = []
    best: tuple[int, Trained] | None = None
    for number, one in enumerate(settings.model.candidates):
        _log.info("model %d of %d: %s", number + 1, len(settings.model.candidates), one.name)
        trained = train(msgspec.structs.replace(settings, model=settings.model.of(one)), run.tried / str(number))
        found.append(_judged(one.name, trained))
        if best is None or found[-1].value > found[best[0]].value:
            best = number, trained
    assert best is not None
    number, trained = best
    write_json(run.models, [{**asdict(one), "chosen": place == number} for place, one in enumerate(found)])
    (run.tried / str(number)).rename(run.checkpoints)
    shutil.rmtree(run.tried)
    return trained


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
