"""What a user will rate."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mmgraph.catalogue.contract import Catalogue
from mmgraph.errors import CatalogueError, SettingsError
from mmgraph.graph.contract import Graph
from mmgraph.model.contract import Head
from mmgraph.sample.questions import AskedLinks
from mmgraph.settings import Component, ModelSettings
from mmgraph.split.contract import Split
from mmgraph.tasks.contract import Task
from mmgraph.tasks.one_relation import asked_links
from mmgraph.tasks.rated import MOST_LEVELS, RatingQuestion, values_of
from mmgraph.tasks.ratings import CrossEntropy, Form, Ordinal, RatingsHead, Squared
from mmgraph.types import Bools, Ints, Relation

_FEW = Component(class_path="uniform", init_args={"num": 1})  # ratings are compared with nothing


@dataclass(frozen=True, kw_only=True)
class Ratings(Task):
    """relation: ``user/name/item``, whose weights are ratings. scale: from the lowest to the highest, as train has them when not given.

    form: ``squared`` expects a number; ``cross_entropy`` and ``ordinal`` expect each level to be so likely, without and with their order,
    where there are at most 20 different ratings. weight: of the loss beside other tasks.
    """

    relation: str
    scale: tuple[float, float] | None = None
    form: Literal["squared", "cross_entropy", "ordinal"] = "squared"
    weight: float = 1.0

    def check(self, catalogue: Catalogue) -> None:
        """Raise a CatalogueError with file and row for the first link without a rating and the first rating outside the scale,
        SettingsError for a scale that is none.
        """
        own = np.flatnonzero(self._own(catalogue))
        if catalogue.stands is not None:
            lacking = own[~catalogue.stands.weighted[own]]
            _refuse(catalogue, lacking, "there is no rating", "fill it in, or take out the row", "{source} for {target}")
        if self.scale is None:
            return
        low, high = self.scale
        if not low < high:
            raise SettingsError("a scale goes from its lowest to its highest rating", given=list(self.scale), todo="[1, 5]")
        value = catalogue.links["weight"].to_numpy(np.float64)[own]
        todo = "mend it, change the task's scale, or keep the newest of repeated rows (Tables: repeated: last)"
        outside = own[~((value >= low) & (value <= high))]
        wrong = f"a rating outside the scale {low:g} to {high:g}"
        _refuse(catalogue, outside, wrong, todo, "{weight:g} of {source} for {target}")

    def check_grown(self, before: Split, after: Split) -> None:
        """Levels have their places among the others, so a new one cannot be learnt beside them."""
        known, now = (self._question(one).levels for one in (before, after))
        if self.form != "squared" and not np.array_equal(known, now):
            new = ", ".join(f"{one:g}" for one in np.setdiff1d(now, known)) or f"more than {MOST_LEVELS} different ones"
            todo = "correct them, or fit the run again with the new links"
            raise CatalogueError("new ratings are none of the levels that the run was trained with", given=new, todo=todo)

    def _own(self, catalogue: Catalogue) -> Bools:
        """Which links are of the relation."""
        relation, kind, links = Relation.parse(self.relation), catalogue.items.set_index("id")["kind"], catalogue.links
        ends = (links["source"].map(kind) == relation.source) & (links["target"].map(kind) == relation.target)
        found: Bools = ((links["relation"] == relation.name) & ends).to_numpy(bool)
        return found

    def relations(self, graph: Graph) -> list[Relation]:
        """See Task."""
        return [Relation.parse(self.relation)]

    def heads(self, split: Split, settings: ModelSettings) -> list[Head]:
        """See Task; raises SettingsError where all ratings are the same."""
        question = self._question(split)
        return [RatingsHead(question, settings.width, self._form(question), self.weight)]

    def asked_links(self, split: Split) -> list[AskedLinks]:
        """See Task."""
        train = split.visible.edges[Relation.parse(self.relation)]
        (asked,) = asked_links(self.relation, split, _FEW, "bce", "dot")
        return [replace(asked, name=self._question(split).name, weight=values_of(train).astype(np.float32))]

    def _question(self, split: Split) -> RatingQuestion:
        links = split.links[Relation.parse(self.relation)]
        value = values_of(links.edges.take(links.train))
        low, high = float(value.min()), float(value.max())
        if low == high:
            todo = "fill links.weight, or ask Recommend or Links"
            raise SettingsError(f"all ratings of {self.relation} are the same", given=low, todo=todo)
        return RatingQuestion(split.visible, links, self.scale or (low, high))

    def _form(self, question: RatingQuestion) -> Form:
        if self.form == "squared":
            return Squared(question.train.mean)
        levels = question.levels
        if not len(levels):
            given = f"{len(np.unique(question.train.value))} different ratings in train"
            raise SettingsError(f"the form {self.form} needs 2 to 20 levels", given=given, todo="set form: squared")
        share = (np.searchsorted(levels, question.train.value)[:, None] == np.arange(len(levels))).mean(0).astype(np.float32)
        made = CrossEntropy if self.form == "cross_entropy" else Ordinal
        return made(levels.astype(np.float32), share)


def _refuse(catalogue: Catalogue, links: Ints, wrong: str, todo: str, said: str) -> None:
    """Raise for the first of these links, which is shown as ``said`` says."""
    if not len(links):
        return
    given = said.format_map(catalogue.links.iloc[int(links[0])])
    more = f" and {len(links) - 1} more" if len(links) > 1 else ""
    raise CatalogueError(f"{catalogue.place(int(links[0]))}: {wrong}", given=f"{given}{more}", todo=todo)
