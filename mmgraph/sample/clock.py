"""Time-respecting batches: what is asked of one moment passes over no link of that moment or later."""

from collections.abc import Iterable

import numpy as np

from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Graph
from mmgraph.sample.questions import AskedLinks
from mmgraph.types import Bools, Ints, Relation


class Clock:
    """The times of a graph's links. Raises SettingsError where none has a time.

    A batch is a stretch of the asked links in the order of their times, as temporal networks are trained (Rossi et al. 2020, Temporal
    Graph Networks, arXiv 2006.10637, section 3.3). Its moment is the oldest time that it asks; links that are not older, and links of
    unknown time in a relation that has times, carry no messages in it. So what it sees is older than anything that it predicts.
    Links and labels without times are asked in any batch.
    """

    def __init__(self, graph: Graph) -> None:
        self._times = {relation: one.time for relation, one in graph.edges.items() if one.time is not None}
        if not any(np.isfinite(time).any() for time in self._times.values()):
            todo = "fill links.time, or set it to false"
            raise SettingsError("model.batches.temporal needs links with times", given="none", todo=todo)

    def moment(self, asked: Iterable[tuple[AskedLinks, Ints]]) -> float:
        """Seconds of the oldest of the chosen links; infinity where none has a time."""
        times = [one.time[chosen] for one, chosen in asked if one.time is not None]
        known = np.concatenate([*times, [np.inf]])
        return float(np.nanmin(known))

    def future(self, moment: float) -> dict[Relation, Ints]:
        """By relation, the edge ids of the links that are not older than the moment."""
        return {relation: np.flatnonzero(~old) for relation, old in self.past(moment).items()}

    def past(self, moment: float) -> dict[Relation, Bools]:
        """By relation with times, which of its edges are older than the moment."""
        return {relation: time < moment for relation, time in self._times.items()}


def in_order(asked: AskedLinks) -> Ints | None:
    """Positions of the links by time, unknown ones last; None where they have no times."""
    return None if asked.time is None else np.argsort(asked.time, kind="stable").astype(np.int64)


def joined(*gone: dict[Relation, Ints]) -> dict[Relation, Ints]:
    """All edge ids of each relation, each once."""
    ids: dict[Relation, list[Ints]] = {}
    for one in gone:
        for relation, some in one.items():
            ids.setdefault(relation, []).append(some)
    return {relation: some[0] if len(some) == 1 else np.unique(np.concatenate(some)) for relation, some in ids.items()}
