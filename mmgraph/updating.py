"""A finished run that is given more: a person's answers become train labels, new links train links, and training goes on from where it
stood.

What a file of the call holds its columns tell. Answers (id, field, value) and links (source, relation, target) go the same way: ``taken``
adds them to split and graph, ``train_on`` goes on, and the new state takes the place of the old one.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from mmgraph.encode.tuning import Top
from mmgraph.errors import SettingsError
from mmgraph.evaluate.answers import Answers, answer
from mmgraph.evaluate.changes import Change, changes, changes_of_rows
from mmgraph.evaluate.effects import Measurement
from mmgraph.graph.heterograph import save as save_graph
from mmgraph.model.contract import Head
from mmgraph.model.going_on import begin, keep_better
from mmgraph.model.new_rows import fill_rows
from mmgraph.model.train import EPOCHS, Trained, joined, restored, train
from mmgraph.outputs.placing import finish, put_in_place, staged
from mmgraph.outputs.reading import read_run
from mmgraph.outputs.records import record_graph
from mmgraph.outputs.running import interruptible, logged
from mmgraph.outputs.write import write_answers, write_training
from mmgraph.pipeline import built
from mmgraph.rerun import Reopened, reopen
from mmgraph.runs import RunFolder, RunModel, read_json, write_json
from mmgraph.settings import Settings
from mmgraph.split.contract import Split
from mmgraph.split.leaks import check
from mmgraph.taking import Taken, taken, tasks_of
from mmgraph.tasks.contract import FactsHead, RelationHead, Task
from mmgraph.tasks.ratings import RatingsHead

_log = logging.getLogger(__name__)
SHARE = 4  # an update with answers trains for at most this part of the epochs of a fit, unless told
SHARE_OF_LINKS = 10  # one with links: what it begins with has learned from nearly all of them


@dataclass(frozen=True)
class Update:
    """One entry of updates.json: how many answers and links were new, how many were ``known``, and how many ``aside`` (items that belong
    with held-out ones, or links that are held out); the ``fields`` or relations that have more now, new classes by field, new items by kind
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
    links: int = 0
    items: Mapping[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """One sentence."""
        if self.links:
            return self._of_links
        said = f"update {self.number}: {self.answers} answers to {', '.join(self.fields)}"
        if self.known:
            said += f", {self.known} more that were known"
        if self.aside:
            said += f"; {self.aside} items are not trained on, as they belong with held-out ones"
        return said

    @property
    def _of_links(self) -> str:
        said = f"update {self.number}: {self.links} links of {', '.join(self.fields)}"
        if self.items:
            said += f", with {', '.join(f'{count} new {kind}' for kind, count in self.items.items())}"
        if self.known:
            said += f", {self.known} more that were known"
        if self.aside:
            said += f"; {self.aside} are held out by the run, and stay so"
        return said


def update_run(
    path: Path, file: Path, new_classes: bool = False, epochs: int | None = None, restart: bool = False
) -> tuple[RunFolder, Update]:
    """Take answers or links, train on, measure on the test split, and let the new state stand for the run.

    epochs: at most so many; when not given a quarter of ``trainer.max_epochs`` for answers, a tenth for links. A call that was killed goes
    on where it stopped; ``restart`` forgets one that was given something else. Where a run holds out what is newest, new links are among
    it, and the test split is another one. Raises RunError and CatalogueError, in one line, for what cannot be taken.
    """
    run = RunFolder(path)
    if epochs is not None and epochs < 1:
        raise SettingsError("--epochs needs at least one", given=epochs)
    if finish(run):
        return run, _of(read_json(run.updates)[-1])
    opened = reopen(path)
    given = taken(opened, file, new_classes)
    history = read_json(run.updates) if run.updates.exists() else []
    share = SHARE_OF_LINKS if given.counts.get("links") else SHARE
    epochs = epochs or max(1, int(opened.settings.trainer.get("max_epochs", EPOCHS)) // share)
    new = staged(run, {**given.asked, "epochs": epochs}, restart)
    with logged(run):
        if opened.settings.split.check_leaks:
            check(given.graph, given.split, opened.settings.split)
        done = _updated(opened, given, new, len(history) + 1, epochs)
    given.keep(new)
    write_json(new.updates, [*history, asdict(done)])
    put_in_place(run)
    return run, done


def _updated(opened: Reopened, given: Taken, new: RunFolder, number: int, epochs: int) -> Update:
    """Train, measure and write everything into the folder ``new``."""
    settings, targets = opened.settings, given.targets
    before, after = list[Measurement](), list[Measurement]()
    if given.counts.get("answers"):  # the same items can be asked before and after
        some = [one for one in opened.trained.heads if one.head.name in targets]
        answer(replace(opened.trained, heads=some), opened.split, settings.evaluate, settings.run.seed, before)
    counts = {kind: len(ids) for kind, ids in opened.graph.ids.items()}
    going = Going(settings, tasks_of(opened), opened.tops, opened.run.checkpoints, frozenset(targets), counts, opened.models)
    with interruptible():
        trained, kept = train_on(going, given.split, new.checkpoints, number, epochs)
    if given.graph is not opened.graph:
        save_graph(given.graph, new.graph)
    write_training(new, given.graph, trained)
    record_graph(new, given.graph, given.split)
    answers = answer(trained, given.split, settings.evaluate, settings.run.seed, after)
    write_answers(new, answers, given.catalogue, settings)
    changed = () if given.moved else tuple(_changed(opened, answers, before, after, targets))
    told = {"answers": 0, "classes": {}, **given.counts}
    return Update(number=number, fields=targets, epochs=epochs, kept=tuple(kept), changes=changed, **told)


@dataclass(frozen=True)
class Going:
    """What training goes on from: the run's ``settings``, ``tasks`` and ``tops``, its folder of ``checkpoints``, the fields and relations
    that are asked more now (``changed``), how many items of each kind it was trained with (all, when not given), and its ``models``
    (that of the settings, when not given).
    """

    settings: Settings
    tasks: Sequence[Task]
    tops: Mapping[str, Top]
    checkpoints: Path
    changed: AbstractSet[str]
    items: Mapping[str, int] = field(default_factory=dict)
    models: Sequence[RunModel] = ()


def train_on(going: Going, split: Split, folder: Path, number: int, epochs: int) -> tuple[Trained, list[str]]:
    """Train ``number`` times again, with draws of its own, into ``folder``; the model, and the tasks that kept their old epoch.

    It begins with the best epoch of the field or relation that has more now, with the best mean where there are several. The optimiser
    begins anew; an item that is new begins with the mean of its neighbours' rows, where rows are learned by id.
    """
    models = going.models or [RunModel(going.settings.model)]
    others = frozenset(name for model in models for name in model.heads or ())
    parts, kept = [], list[str]()
    for model in models:
        one = replace(
            going, settings=model.within(going.settings), checkpoints=going.checkpoints / model.place, models=[model]
        )
        trained, same = _train_on(one, others, split, folder / model.place, number, epochs)
        parts.append((trained, model.heads))
        kept += same
    return joined(parts), kept


def _train_on(
    going: Going, others: AbstractSet[str], split: Split, folder: Path, number: int, epochs: int
) -> tuple[Trained, list[str]]:
    """One model; ``others``: heads that are not answered by the main one."""
    settings, own = going.settings, going.models[0].heads
    seed = settings.run.seed + number
    drawn = msgspec.structs.replace(settings, run=msgspec.structs.replace(settings.run, seed=seed))
    module, data = built(drawn, split, going.tasks, going.tops)

    def earlier(file: str) -> None:
        begin(module, going.checkpoints / file)
        if going.items:
            fill_rows(module.network, split.visible, going.items)

    mine = {
        place: head
        for place, head in enumerate(module.all_heads)
        if (head.name not in others if own is None else head.name in own)
    }
    changed = [place for place, head in mine.items() if not going.changed.isdisjoint(_asked_by(head))]
    earlier(f"best-{changed[0]}.ckpt" if len(changed) == 1 else "best.ckpt")
    trainer: dict[str, Any] = {**settings.trainer, "max_epochs": epochs}
    if trainer.get("check_val_every_n_epoch"):  # an update has fewer epochs than the fit that this was set for
        trainer["check_val_every_n_epoch"] = min(trainer["check_val_every_n_epoch"], epochs)
    curves = train(module, data, trainer, folder, settings.model).curves
    same = [place for place in mine if place not in changed]
    kept = keep_better(module, data, same, folder, earlier)
    for name in kept:
        _log.info("%s keeps the epoch of before the update, which validates better", name)
    return restored(module, data, folder, curves, only=own), kept


def _asked_by(head: Head) -> Collection[str]:
    """The field or relations that a head asks; its name, where it is called otherwise, as that of a rating is."""
    if isinstance(head, FactsHead):
        return tuple(map(str, head.relations))
    return (str(head.relation),) if isinstance(head, RelationHead | RatingsHead) else (head.name,)


def _changed(
    opened: Reopened, answers: Answers, before: Sequence[Measurement], after: Sequence[Measurement], targets: Collection[str]
) -> list[Change]:
    """Paired where the same was asked before, of the others what metrics.json had."""
    paired = changes(before, after, opened.settings.evaluate)
    done = {one.target for one in paired} & set(targets)
    figures = {one.target: one.metric for one in answers.evidence}
    others = [one for one in changes_of_rows(read_run(opened.run).rows, answers.rows, figures) if one.target not in done]
    return [*paired, *others]


def _of(record: Mapping[str, Any]) -> Update:
    return msgspec.convert(record, Update)
