"""A finished run asked about its unlabelled items: what they are, and which of them a person should label next."""

from dataclasses import dataclass
from pathlib import Path

from mmgraph.errors import RunError
from mmgraph.evaluate.labels_again import Labelled, labels_again
from mmgraph.evaluate.unknown import LabelTrust, trust_of
from mmgraph.outputs.order import format_of
from mmgraph.outputs.unlabelled import unlabelled, write_unlabelled
from mmgraph.rerun import Reopened, reopen, reports_of
from mmgraph.runs import read_json


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
