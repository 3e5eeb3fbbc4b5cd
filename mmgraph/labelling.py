"""A finished run asked about its unlabelled items: what they are, and which of them a person should label next."""

from dataclasses import dataclass
from pathlib import Path

from mmgraph import registry
from mmgraph.errors import RunError, SettingsError
from mmgraph.evaluate.asking import AskQuestion, Strategy, margin_uncertainty
from mmgraph.evaluate.labels_again import Labelled, labels_again
from mmgraph.evaluate.unknown import LabelTrust, trust_of
from mmgraph.graph.contract import Graph
from mmgraph.outputs.order import format_of
from mmgraph.outputs.questions import Asked, check_unanswered, write_questions
from mmgraph.outputs.unlabelled import write_unlabelled
from mmgraph.rerun import Reopened, reopen, reports_of
from mmgraph.runs import ASKED, read_json
from mmgraph.settings import ComponentLike
from mmgraph.split.contract import LabelSplit
from mmgraph.split.label_groups import label_groups
from mmgraph.split.unlabelled import unlabelled, with_held_out
from mmgraph.types import Ints


@dataclass(frozen=True)
class Said:
    """One field: how many items have no label, and of how many of these the class is unknown."""

    target: str
    items: int
    unknown: int

    @property
    def text(self) -> str:
        """One sentence."""
        return f"{self.target}: {self.items} items without a label, {self.unknown} of them unknown"


def label_run(path: Path, field: str | None, to: Path | None) -> tuple[list[Said], list[Path]]:
    """Write what a run says of unlabelled items, of one field or all; to ``predictions/unlabelled``, or the file ``to``, whose ending
    says the format. Gives what was said, and the files.

    Raises RunError for a field that the run was not trained for.
    """
    asked = None if to is None else (format_of(to),)
    opened = reopen(path)
    every = [labelled(opened, target) for target in chosen_fields(opened, field)]
    formats = asked or opened.settings.outputs.formats
    folder, stem = (opened.run.predictions, "unlabelled") if to is None else (to.parent, to.stem)
    write_unlabelled(every, folder, stem, formats)
    return [_said(one) for one in every], [folder / f"{stem}.{name}" for name in formats]


@dataclass(frozen=True)
class Asking:
    """What was asked: the items, in which file, and the classes that an answer may name."""

    items: tuple[Asked, ...]
    file: Path
    classes: tuple[str, ...]


def ask_run(path: Path, field: str | None, n: int, by: ComponentLike, to: Path | None) -> Asking:
    """Write the ``n`` unlabelled items that are most worth labelling next to ``asked.csv``, or to the file ``to``.

    Items that belong with a held-out one are not asked about: their labels could not be trained on. Raises RunError for a field that
    the run was not trained for, where there is nothing to ask, and where a file with answers would be lost.
    """
    strategy: Strategy = registry.create("strategy", by)
    file = to or path / ASKED
    if file.suffix != ".csv":
        raise SettingsError("--to must end in .csv", given=file)
    opened = reopen(path)
    check_unanswered(file, [])
    target = one_field(opened, field)
    one, seed = labelled(opened, target), opened.settings.run.seed
    items = askable(opened, one.answer.question.split)
    picked = items[strategy.pick(ask_question(opened.graph, one, items, opened.settings.split.labels.group), n, seed)]
    asked = tuple(_asked(one, item) for item in picked)
    write_questions(asked, opened.catalogue, file)
    return Asking(asked, file, one.answer.question.split.labels.classes)


def askable(opened: Reopened, split: LabelSplit) -> Ints:
    """Positions of the unlabelled items that belong with no held-out one; raises RunError where there is none."""
    items = unlabelled(split)
    if not len(items):
        raise RunError("every item has a label: there is nothing to ask about", given=split.labels.target)
    free = items[~with_held_out(opened.graph, split, opened.settings.split.labels.group)[items]]
    if not len(free):
        given = f"{len(items)} items of {split.labels.target}"
        todo = "add items of other groups, or fit with another split.labels.group"
        raise RunError("every item without a label belongs with a valid or test item", given=given, todo=todo)
    return free


def ask_question(graph: Graph, one: Labelled, items: Ints, group: str) -> AskQuestion:
    """Which of ``items`` to label next; ``graph``: the whole; ``group``: split.labels.group."""
    split = one.answer.question.split
    of = label_groups(graph, split.labels.kind, group)[items]
    several = split.labels.several is not None
    return AskQuestion(one.answer.probabilities[items], one.vectors[items], one.vectors[split.train], of, several)


def one_field(opened: Reopened, field: str | None) -> str:
    """As ``chosen_fields``, where one has to be meant."""
    found = chosen_fields(opened, field)
    if len(found) > 1:
        raise RunError("the run was trained for labels of several fields", given=field, todo=f"--field {' or '.join(found)}")
    return found[0]


def _asked(one: Labelled, item: int) -> Asked:
    question, p = one.answer.question, one.answer.probabilities[item]
    labels, best = question.split.labels, int(p.argmax())
    unsure = float(margin_uncertainty(p[None, :], labels.several is not None)[0])
    return Asked(str(question.graph.ids[labels.kind][item]), labels.field, labels.classes[best], float(p[best]), unsure)


def labelled(opened: Reopened, target: str) -> Labelled:
    """What an opened run says of every item that has, or could have, the field ``target`` (``kind.field``)."""
    trusted = _trusts(opened)
    report = next((one for one in reports_of(opened.run) if one.target == target), None)
    if report is None or target not in trusted:
        raise RunError("the run does not say what it chose", given=target, todo="run `mmgraph fit` again")
    settings, seed = opened.settings.evaluate, opened.settings.run.seed
    return labels_again(opened.trained, opened.split, settings, seed, report, trusted[target])


def chosen_fields(opened: Reopened, field: str | None) -> list[str]:
    """The targets (``kind.field``) that are meant by a field's name, or by ``kind.field``; all when not given.

    Raises RunError where the run has none of that name.
    """
    known = {target: one.labels.field for target, one in opened.split.labels.items()}
    found = [target for target, name in known.items() if field in (None, name, target)]
    if not found:
        todo = f"it answers: {', '.join(known)}" if known else "ask for Categories, and fit again"
        raise RunError("the run was not trained for labels of this field", given=field or "any", todo=todo)
    return found


def _trusts(opened: Reopened) -> dict[str, LabelTrust]:
    file = opened.run.calibration
    try:
        return {one["field"]: trust_of(one) for one in read_json(file) if "field" in one}
    except (KeyError, TypeError) as error:
        raise RunError(f"{file} is broken", given=error, todo="run `mmgraph fit` again") from error


def _said(one: Labelled) -> Said:
    question = one.answer.question
    items = unlabelled(question.split)
    unknown = one.answer.trust.unknown(one.answer.probabilities[items].max(axis=1, initial=0.0))
    return Said(question.split.labels.target, len(items), int(unknown.sum()))
