"""More labels for a split that stands: they are trained on, and what is held out stays as it is."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mmgraph.catalogue.tables import Table
from mmgraph.errors import CatalogueError
from mmgraph.graph.contract import Graph, Labels
from mmgraph.split.contract import LabelSplit, Split
from mmgraph.split.unlabelled import with_held_out
from mmgraph.types import Bools, Ints, Strings

_MOST = 20_000  # ids that are compared with one that is not there


@dataclass(frozen=True)
class Answered:
    """``split`` with the new labels; ``rows``: (id, ``kind.field``, value) of each of them, in the order given.

    known: answers that say what was known; aside: items whose labels are known now and not trained on, because they belong with a held-out
    item; classes: ``kind.field`` -> new classes, which stand behind the others.
    """

    split: Split
    rows: tuple[tuple[str, str, str], ...]
    known: int
    aside: int
    classes: Mapping[str, tuple[str, ...]]

    @property
    def targets(self) -> tuple[str, ...]:
        """Fields with new labels, by their names in metrics."""
        return tuple(dict.fromkeys(target for _, target, _ in self.rows))


def answered(split: Split, graph: Graph, table: Table, group: str, new_classes: bool = False) -> Answered:
    """Take a person's answers (columns id, field, value) as train labels. ``graph``: all that is known; ``group``: split.labels.group.

    An answer is about an item without a label, or says again what is known. Raises CatalogueError, with the row, for an item or field
    that is not there, a class that is not unless ``new_classes``, and a value that contradicts another one.
    """
    fields, items = _places(split, graph, table)
    rows: list[tuple[int, str]] = []
    known, aside, classes = 0, 0, dict[str, tuple[str, ...]]()
    for target, before in split.labels.items():
        mine = np.flatnonzero(fields == target)
        if not len(mine):
            continue
        given = _Given(before, table, mine, items[mine], table.frame["value"].to_numpy(dtype=object)[mine])
        fresh = given.fresh()
        known += int(given.labelled.sum())
        if not len(fresh.rows):
            continue
        added = fresh.added(new_classes)
        held = with_held_out(graph, before, group)[fresh.items]
        labels = _labelled(before.labels, added, fresh.items, fresh.values)
        split = _with(split, target, labels, fresh.items[~held])
        _all_shown(split.labels[target], added, table, fresh)
        aside += len(np.unique(fresh.items[held]))
        rows += [(int(row), target) for row in fresh.rows]
        classes |= {target: added} if added else {}
    named = [(str(table.frame["id"][row]), target, str(table.frame["value"][row])) for row, target in sorted(rows)]
    return Answered(split, tuple(named), known, aside, classes)


def shown_more(split: Split, target: str, items: Ints, values: Ints) -> Split:
    """The same split, where ``items`` (int64 [n], without a label so far) have the classes ``values`` (int64 [n]) and are trained on."""
    labels = split.labels[target].labels
    return _with(split, target, _labelled(labels, (), items, np.asarray(labels.classes, object)[values]), items)


def hidden_labels(split: Split, target: str, items: Bools) -> Split:
    """The same split, where ``items`` (bool [items of the kind]) have no label: as if they had never had one."""
    one = split.labels[target]
    labels = one.labels.shown(np.flatnonzero((one.labels.values >= 0) & ~items))
    parts = {name: getattr(one, name)[~items[getattr(one, name)]] for name in ("train", "valid", "test")}
    now = replace(one, labels=labels, **parts)
    seen = {**split.visible.labels, (labels.kind, labels.field): labels.shown(now.train)}
    return replace(split, labels={**split.labels, target: now}, visible=replace(split.visible, labels=seen))


@dataclass(frozen=True)
class _Given:
    """Answers about one field: ``rows`` of the table, ``items`` and ``values`` of each."""

    before: LabelSplit
    table: Table
    rows: Ints
    items: Ints
    values: Strings

    @property
    def labelled(self) -> Bools:
        """Which of the items have had a label before."""
        return self.before.labels.values[self.items] >= 0

    def fresh(self) -> "_Given":
        """Those that say something new, once; raises CatalogueError for one that contradicts what is known, or another."""
        labels = self.before.labels
        number = self._numbers()
        labelled = self.labelled
        said = np.zeros(len(self.rows), bool)
        said[number >= 0] = labels.has(self.items[number >= 0])[np.arange((number >= 0).sum()), number[number >= 0]]
        self._refuse(labelled & ~said, "the item has another value", "correct it in the tables, and fit again", self._known)
        hidden = np.isin(self.items, self.before.open)
        self._refuse(hidden, "the item's class is hidden by split.labels.open", "leave it out")
        repeated = pd.DataFrame({"item": self.items, "value": self.values}).duplicated().to_numpy()
        kept = self._take(np.flatnonzero(~labelled & ~repeated))
        if labels.several is None:
            twice = pd.Series(kept.items).duplicated().to_numpy()
            kept._refuse(twice, "an earlier row gives the item another value", "keep one")
        return kept

    def added(self, allowed: bool) -> tuple[str, ...]:
        """Classes that the field has not had, in order of appearance; raises CatalogueError unless they are allowed."""
        other = self._numbers() < 0
        hidden = np.isin(self.values, self.before.open_classes) if self.before.open_classes else np.zeros(len(other), bool)
        self._refuse(hidden, "the class is hidden by split.labels.open", "leave it out")
        if not allowed and other.any():
            known = self.before.labels.classes
            near = difflib.get_close_matches(str(self.values[other.argmax()]), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"classes: {', '.join(known)}"
            self._refuse(other, "the field has no such class", f"{hint}; --new-classes adds it")
        return tuple(map(str, pd.unique(self.values[other])))

    def _numbers(self) -> Ints:
        return (
            pd.Index(self.before.labels.classes, dtype=object)
            .get_indexer(pd.Index(self.values, dtype=object))
            .astype(np.int64)
        )

    def _take(self, chosen: Ints) -> "_Given":
        return replace(self, rows=self.rows[chosen], items=self.items[chosen], values=self.values[chosen])

    def _known(self, at: int) -> str:
        labels, item = self.before.labels, self.items[at]
        has = [labels.classes[one] for one in np.flatnonzero(labels.has(np.array([item]))[0])]
        part = next((name for name in ("valid", "test") if item in getattr(self.before, name)), "")
        return f"{self.values[at]}, where it is {' and '.join(has)}" + (f" (a {part} label)" if part else "")

    def _refuse(self, wrong: Bools, what: str, todo: str, said: Callable[[int], str] | None = None) -> None:
        if wrong.any():
            at = int(wrong.argmax())
            value = self.values[at] if said is None else said(at)
            raise CatalogueError(f"{self.table.place(int(self.rows[at]))}: {what}", given=value, todo=todo)


def _places(split: Split, graph: Graph, table: Table) -> tuple[Strings, Ints]:
    """Of every row the target that it is about, and the position of its item in that kind."""
    names, ids = (table.frame[name].to_numpy(dtype=object) for name in ("field", "id"))
    fields, items = np.full(len(names), None, object), np.full(len(names), -1, np.int64)
    for target, one in split.labels.items():
        mine = np.flatnonzero((names == one.labels.field) | (names == target))
        found = pd.Index(graph.ids[one.labels.kind], dtype=object).get_indexer(pd.Index(ids[mine], dtype=object))
        mine, found = mine[found >= 0], found[found >= 0]
        fields[mine], items[mine] = target, found
    if (items < 0).any():
        row = int((items < 0).argmax())
        raise _astray(split, graph, table.place(row), str(names[row]), str(ids[row]))
    return fields, items


def _astray(split: Split, graph: Graph, place: str, name: str, item: str) -> CatalogueError:
    """Why an answer is about nothing."""
    kinds = [one.labels.kind for target, one in split.labels.items() if name in (one.labels.field, target)]
    if not kinds:
        todo = f"it answers: {', '.join(split.labels) or 'none'}"
        return CatalogueError(f"{place}: the run was not trained for labels of this field", given=name, todo=todo)
    for kind, ids in graph.ids.items():
        if kind not in kinds and (np.asarray(ids, object) == item).any():
            todo = f"the field is of kind {' or '.join(kinds)}"
            return CatalogueError(f"{place}: an item of kind {kind} has no {name}", given=item, todo=todo)
    known = [str(one) for kind in kinds for one in graph.ids[kind][:_MOST]]
    near = difflib.get_close_matches(item, known, n=3, cutoff=0.5)
    todo = f"near: {', '.join(near)}" if near else "ids are those of the run's items"
    return CatalogueError(f"{place}: no item has this id", given=item, todo=todo)


def _labelled(labels: Labels, added: tuple[str, ...], items: Ints, values: Strings) -> Labels:
    """With further classes behind the known ones, and these items having these values."""
    classes = (*labels.classes, *added)
    number = pd.Index(classes, dtype=object).get_indexer(pd.Index(values, dtype=object)).astype(np.int64)
    new = labels.values.copy()
    order = np.argsort(
        -number, kind="stable"
    )  # of several values of an item the first class is written last, as in graph.build
    new[items[order]] = number[order]
    several = labels.several
    if several is not None:
        several = np.concatenate((several, np.zeros((len(several), len(added)), bool)), axis=1)
        several[items, number] = True
    return replace(labels, classes=classes, values=new, several=several)


def _with(split: Split, target: str, labels: Labels, trained: Ints) -> Split:
    before = split.labels[target]
    now = replace(before, labels=labels, train=np.union1d(before.train, trained).astype(np.int64))
    seen = {**split.visible.labels, (labels.kind, labels.field): labels.shown(now.train)}
    return replace(split, labels={**split.labels, target: now}, visible=replace(split.visible, labels=seen))


def _all_shown(now: LabelSplit, added: tuple[str, ...], table: Table, given: _Given) -> None:
    shown = now.labels.has(now.train).sum(axis=0)
    for name in added:
        if not shown[now.labels.classes.index(name)]:
            row = int(given.rows[np.flatnonzero(given.values == name)[0]])
            wrong = f"{table.place(row)}: a new class has only items that belong with held-out ones"
            raise CatalogueError(wrong, given=name, todo="label another item of it")
