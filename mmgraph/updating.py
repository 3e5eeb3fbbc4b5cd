"""A finished run that is given more: a person's answers become train labels, and training goes on from where it stood.

What a file of the call holds its columns tell. Answers (id, field, value) are what there is now; whatever else a run can be given (links:
source, relation, target) goes the same way: ``taken`` adds it to split and graph, ``train_on`` goes on, and the new state takes the
place of the old one.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from mmgraph import registry
from mmgraph.catalogue.answers import ANSWER, read_answers
from mmgraph.encode.tuning import Top
from mmgraph.errors import RunError, SettingsError
from mmgraph.evaluate.answers import Answers, answer
from mmgraph.evaluate.changes import Change, changes, changes_of_rows
from mmgraph.evaluate.effects import Measurement
from mmgraph.model.going_on import begin, keep_better
from mmgraph.model.train import EPOCHS, Trained, restored, train
from mmgraph.outputs.placing import finish, put_in_place, staged
from mmgraph.outputs.reading import read_run
from mmgraph.outputs.records import record_graph
from mmgraph.outputs.running import interruptible, logged
from mmgraph.outputs.write import write_answers, write_training
from mmgraph.pipeline import built
from mmgraph.rerun import Reopened, reopen
from mmgraph.runs import RunFolder, read_json, write_csv, write_json
from mmgraph.settings import Settings
from mmgraph.split.answered import Answered, answered
from mmgraph.split.contract import Split
from mmgraph.split.leaks import check
from mmgraph.tasks.contract import Task

_log = logging.getLogger(__name__)
SHARE = 4  # an update trains for at most this part of the epochs of a fit, unless told


@dataclass(frozen=True)
class Update:
    """One entry of updates.json: how many answers were new, how many ``known`` or set ``aside`` (see ``Answered``), new classes by field,
    and what changed on the test split. kept: tasks whose answers are those of before, because validation liked no new epoch more.
    """

    number: int
    answers: int
    known: int
    aside: int
    fields: tuple[str, ...]
    classes: Mapping[str, tuple[str, ...]]
    epochs: int
    kept: tuple[str, ...]
    changes: tuple[Change, ...]

    @property
    def text(self) -> str:
        """One sentence."""
        said = f"update {self.number}: {self.answers} answers to {', '.join(self.fields)}"
        if self.known:
            said += f", {self.known} more that were known"
        if self.aside:
            said += f"; {self.aside} items are not trained on, as they belong with held-out ones"
        return said


def update_run(
    path: Path, file: Path, new_classes: bool = False, epochs: int | None = None, restart: bool = False
) -> tuple[RunFolder, Update]:
    """Take a person's answers, train on, measure on the same test split, and let the new state stand for the run.

    epochs: at most so many, a quarter of ``trainer.max_epochs`` when not given. A call that was killed goes on where it stopped;
    ``restart`` forgets one that was given other answers. Raises RunError and CatalogueError, in one line, for what cannot be taken.
    """
    run = RunFolder(path)
    if epochs is not None and epochs < 1:
        raise SettingsError("--epochs needs at least one", given=epochs)
    if finish(run):
        return run, _of(read_json(run.updates)[-1])
    table = read_answers(file)
    opened = reopen(path)
    group = opened.settings.split.labels.group
    given = answered(opened.split, opened.graph, table, group, new_classes)
    if not given.rows:
        raise RunError("the run knows all of these answers", given=f"{given.known} answers", todo="give it new ones")
    history = read_json(run.updates) if run.updates.exists() else []
    epochs = epochs or max(1, int(opened.settings.trainer.get("max_epochs", EPOCHS)) // SHARE)
    new = staged(run, {"rows": [list(row) for row in given.rows], "epochs": epochs}, restart)
    with logged(run):
        if opened.settings.split.check_leaks:
            check(opened.graph, given.split, opened.settings.split)
        done = _updated(opened, given, new, len(history) + 1, epochs)
    before = _rows_of(run)
    write_csv(new.answers, ANSWER, [*before, *given.rows])
    write_json(new.updates, [*history, asdict(done)])
    put_in_place(run)
    return run, done


def _updated(opened: Reopened, given: Answered, new: RunFolder, number: int, epochs: int) -> Update:
    """Train, measure and write everything into the folder ``new``."""
    settings, targets = opened.settings, given.targets
    tasks = [registry.create("task", task) for task in settings.tasks]
    before, after = list[Measurement](), list[Measurement]()
    some = [one for one in opened.trained.heads if one.head.name in targets]
    answer(replace(opened.trained, heads=some), opened.split, settings.evaluate, settings.run.seed, before)
    going = Going(settings, tasks, opened.tops, opened.run.checkpoints, targets)
    with interruptible():
        trained, kept = train_on(going, given.split, new.checkpoints, number, epochs)
    write_training(new, opened.graph, trained)
    record_graph(new, opened.graph, given.split)
    answers = answer(trained, given.split, settings.evaluate, settings.run.seed, after)
    write_answers(new, answers, opened.catalogue, settings)
    return Update(
        number, len(given.rows), given.known, given.aside, targets, dict(given.classes), epochs, tuple(kept),
        tuple(_changed(opened, answers, before, after, targets)),
    )  # fmt: skip


@dataclass(frozen=True)
class Going:
    """What training goes on from: the run's ``settings``, ``tasks`` and ``tops``, its folder of ``checkpoints``, and the fields that have
    new labels.
    """

    settings: Settings
    tasks: Sequence[Task]
    tops: Mapping[str, Top]
    checkpoints: Path
    changed: Collection[str]


def train_on(going: Going, split: Split, folder: Path, number: int, epochs: int) -> tuple[Trained, list[str]]:
    """Train ``number`` times again, with draws of its own, into ``folder``; the model, and the tasks that kept their old epoch.

    It begins with the best epoch of the field that has new labels, with the best mean where there are several. The optimiser begins anew.
    """
    settings = going.settings
    seed = settings.run.seed + number
    drawn = msgspec.structs.replace(settings, run=msgspec.structs.replace(settings.run, seed=seed))
    module, data = built(drawn, split, going.tasks, going.tops)
    heads = [i for i, head in enumerate(module.all_heads) if head.name in going.changed]
    begin(module, going.checkpoints / (f"best-{heads[0]}.ckpt" if len(heads) == 1 else "best.ckpt"))
    trainer: dict[str, Any] = {**settings.trainer, "max_epochs": epochs}
    curves = train(module, data, trainer, folder, settings.model).curves
    kept = keep_better(module, data, going.checkpoints, folder, going.changed)
    for name in kept:
        _log.info("%s keeps the epoch of before the update, which validates better", name)
    return restored(module, data, folder, curves), kept


def _changed(
    opened: Reopened, answers: Answers, before: Sequence[Measurement], after: Sequence[Measurement], targets: Collection[str]
) -> list[Change]:
    """Paired for the fields that have new labels, of the others what metrics.json had."""
    others = [one for one in changes_of_rows(read_run(opened.run).rows, answers.rows) if one.target not in targets]
    return [*changes(before, after, opened.settings.evaluate), *others]


def _rows_of(run: RunFolder) -> list[tuple[str, ...]]:
    if not run.answers.exists():
        return []
    frame = read_answers(run.answers).frame
    return [tuple(map(str, row)) for row in frame[list(ANSWER)].itertuples(index=False)]


def _of(record: Mapping[str, Any]) -> Update:
    return msgspec.convert(record, Update)
