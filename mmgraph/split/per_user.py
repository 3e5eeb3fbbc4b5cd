"""Links held out user by user: a share of each one's, or the last ones. A user is whatever is the source of the relation."""

import numpy as np
import numpy.typing as npt

from mmgraph.errors import SplitError
from mmgraph.graph.contract import Edges, Graph
from mmgraph.settings import LinkSplitSettings
from mmgraph.split.chance import generator
from mmgraph.split.pairs import units
from mmgraph.types import Ints

Sides = npt.NDArray[np.int8]
FEWEST = 3  # links of a user under which all of them stay in train


def per_user(graph: Graph, edges: Edges, settings: LinkSplitSettings, seed: int) -> Sides:
    """0 train, 1 valid, 2 test of every edge: of each user the stated shares, drawn by chance, one link at least of a share above 0.

    At least one link of a user stays in train. Users with fewer than FEWEST links keep all. Links that tell each other (``pairs.units``)
    are held out together or not at all. Raises SplitError where nothing is left to hold out.
    """
    drawn = generator(seed, f"{edges.relation} per user").permutation(len(edges))
    place, count = _places(edges.source, drawn)
    test = np.minimum(_share(count, settings.test), count - 1)
    valid = np.minimum(_share(count, settings.valid), count - test - 1)
    return _together(graph, edges, _sides(place, count, valid, test))


def leave_last(graph: Graph, edges: Edges, settings: LinkSplitSettings) -> Sides:
    """As ``per_user``, with the newest link of each user as test and the one before as valid (a share of 0 holds out none of its kind).

    Of links of one moment the later in the table is the newer. Raises SplitError where a link has no time.
    """
    unknown = np.ones(len(edges), bool) if edges.time is None else np.isnan(edges.time)
    if edges.time is None or unknown.any():
        given = f"{int(unknown.sum())} of {len(edges)} have none"
        todo = "fill links.time, or take split.links.method: per_user"
        raise SplitError(f"leave_last needs the time of every link of {edges.relation}", given=given, todo=todo)
    newest_first = np.empty(len(edges), np.int64)
    newest_first[np.lexsort((np.arange(len(edges)), edges.time))[::-1]] = np.arange(len(edges))
    place, count = _places(edges.source, newest_first)
    one = np.ones(len(edges), np.int64)
    return _together(graph, edges, _sides(place, count, one * (settings.valid > 0), one * (settings.test > 0)))


def _share(count: Ints, share: float) -> Ints:
    return np.maximum(np.round(count * share), 1).astype(np.int64) if share else np.zeros(len(count), np.int64)


def _places(source: Ints, order: Ints) -> tuple[Ints, Ints]:
    """Of every edge its place, from 0, among those of its source, and how many these are; ``order``: a number for each edge."""
    sorted_ = np.lexsort((order, source))
    count = np.bincount(source)[source]
    first = np.searchsorted(source[sorted_], source[sorted_])
    place = np.empty(len(source), np.int64)
    place[sorted_] = np.arange(len(source)) - first
    return place, count


def _sides(place: Ints, count: Ints, valid: Ints, test: Ints) -> Sides:
    side = np.where(place < test, 2, np.where(place < test + valid, 1, 0))
    return np.where(count < FEWEST, 0, side).astype(np.int8)


def _together(graph: Graph, edges: Edges, side: Sides) -> Sides:
    """The side of the one that is seen most, of all that tell each other; raises SplitError where a side that was asked for is empty."""
    unit = np.unique(units(graph, edges), return_inverse=True)[1].reshape(-1)
    lowest = np.full(int(unit.max(initial=-1)) + 1, 2, np.int8)
    np.minimum.at(lowest, unit, side)
    if not len(edges) or not lowest.any():
        todo = "give more links, or take split.links.method: random"
        given = f"{len(edges)} links of {len(np.unique(edges.source))} {edges.relation.source}"
        raise SplitError(f"no source of {edges.relation} has {FEWEST} links, so all would be in train", given=given, todo=todo)
    return lowest[unit]


def user_notes(graph: Graph, edges: Edges) -> list[str]:
    """What to say of users that nothing is held out of."""
    kind, count = edges.relation.source, np.bincount(edges.source, minlength=graph.count(edges.relation.source))
    few, none = int(((count > 0) & (count < FEWEST)).sum()), int((count == 0).sum())
    notes = [f"{few} of {len(count)} {kind} have fewer than {FEWEST} {edges.relation}, which all stay in train"] if few else []
    return notes + (
        [f"{none} of {len(count)} {kind} have no {edges.relation} at all: nobody asks what they would want"] if none else []
    )
