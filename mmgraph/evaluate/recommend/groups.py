"""Users by how much is known of them, and what is held out by whether anybody has chosen it before."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mmgraph.evaluate.recommend.question import RecommendQuestion
from mmgraph.types import Bools, Ints

COLD = "items=cold, among the cold"
"""The group whose candidates are the cold items alone."""


@dataclass(frozen=True)
class Cohort:
    """Some of the held-out links: ``name`` as ``grouping=group``, ``edges`` their positions."""

    name: str
    edges: Ints


def cold_items(question: RecommendQuestion) -> Bools:
    """Items without a visible link of the relation, bool [items]."""
    cold = np.ones(question.count("target"), bool)
    cold[question.visible.target] = False
    return cold


def cohorts(question: RecommendQuestion, edges: Ints) -> Iterator[Cohort]:
    """Users without a visible link, and the others in thirds by how many they have (users with equally many stay together); held-out items
    without a visible link, and the others. A grouping that does not part them is left out.
    """
    links = np.bincount(question.visible.source, minlength=question.count("source"))[question.units(edges)]
    users = np.unique(question.units(edges))
    active = np.bincount(question.visible.source, minlength=question.count("source"))[users]
    first, second = np.quantile(active[active > 0], [1 / 3, 2 / 3], method="lower") if active.any() else (0, 0)
    by_activity = {
        "cold": links == 0,
        f"1-{first}": (links > 0) & (links <= first),
        f"{first + 1}-{second}": (links > first) & (links <= second),
        f"{second + 1}+": (links > second) & (links > 0),
    }
    cold = cold_items(question)[question.split.edges.target[edges]]
    yield from _parted("users", by_activity, edges)
    yield from _parted("items", {"warm": ~cold, "cold": cold}, edges)


def _parted(grouping: str, groups: dict[str, Bools], edges: Ints) -> Iterator[Cohort]:
    there = {name: those for name, those in groups.items() if those.any()}
    for name, those in there.items() if len(there) > 1 else ():
        yield Cohort(f"{grouping}={name}", edges[those])
