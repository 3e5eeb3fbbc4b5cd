"""The best items of many users, block by block: memory is bounded by a block of scores, however many users and items there are."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmgraph.evaluate.contract import LinkMethod, LinkQuestion
from mmgraph.evaluate.ranking import CELLS, Known, checked, rows_at_once
from mmgraph.types import Bools, Floats, Ints

_BLOCK = 1024  # users at once
_TOGETHER = 16  # columns of which the largest is looked for first


@dataclass(frozen=True)
class Lists:
    """One row a user: ``users`` int64 [n] positions, ``items`` int64 [n, k] best first, -1 where there are no more candidates."""

    users: Ints
    items: Ints

    def upto(self, k: int) -> "Lists":
        """The same lists, at most ``k`` long."""
        return Lists(self.users, self.items[:, :k])


def lists_of(
    method: LinkMethod,
    question: LinkQuestion,
    users: Ints,
    known: Ints,
    k: int,
    *,
    among: Bools | None = None,
    cells: int = CELLS,
    done: Callable[[int], None] | None = None,
) -> Lists:
    """The ``k`` best items of every user, without what they are known to have.

    users: positions, each once. known: positions of the links that are left out. among: bool [items], the candidates; all when not given.
    cells: scores held at once. done: told how many users each block had. Equal scores come in an order drawn by the question's seed, so
    that the order of a table tells nothing.
    """
    blocks = [best for _, best, _ in blocks_of(method, question, users, known, k, among=among, cells=cells, done=done)]
    items = np.concatenate([np.zeros((0, min(k, question.count("target"))), np.int64), *blocks])
    return Lists(users, items)


def blocks_of(
    method: LinkMethod,
    question: LinkQuestion,
    users: Ints,
    known: Ints,
    k: int,
    *,
    among: Bools | None = None,
    cells: int = CELLS,
    done: Callable[[int], None] | None = None,
) -> Iterator[tuple[Ints, Ints, Floats]]:
    """Some users, their items int64 [some, k] and the scores of these float32 [some, k]; see ``lists_of``."""
    count = question.count("target")
    index = Known.of(question.split.edges.take(known), question.count("source"), "target")
    drawn = np.random.default_rng([question.seed, 0x71E5]).permutation(count)
    size = rows_at_once(_BLOCK, count, cells)
    for start in range(0, len(users), size):
        part = users[start : start + size]
        scores = checked(method, part, "target", count)
        if among is not None or not scores.flags.writeable:
            scores = np.array(scores)
        if among is not None:
            scores[:, ~among] = -np.inf
        out = index.pairs(part)
        own = scores[out]
        scores[out] = -np.inf
        best = best_of(scores, k, drawn)
        scores[out] = own  # they may be the method's own, which stay as they are
        yield part, *best
        if done is not None:
            done(len(part))


def best_of(scores: Floats, k: int, drawn: Ints) -> tuple[Ints, Floats]:
    """Columns int64 [rows, k] and values float32 [rows, k] of the ``k`` largest scores of each row, -1 and -inf where no more are finite.

    Of equal scores the column with the smaller ``drawn`` number is first.

    >>> best_of(np.array([[1, 3, 3, -np.inf]], np.float32), 3, np.array([0, 3, 1, 2]))
    (array([[2, 1, 0]]), array([[3., 3., 1.]], dtype=float32))
    """
    rows, columns = scores.shape
    k = min(k, columns)
    items, values = np.full((rows, k), -1, np.int64), np.full((rows, k), -np.inf, np.float32)
    if not items.size:
        return items, values
    found, at = _largest(torch.from_numpy(scores), min(k + 1, columns))
    tied = found[:, k - 1] == found[:, k] if columns > k else np.zeros(rows, bool)  # who comes in is a matter of ``drawn``
    row, column = np.repeat(np.flatnonzero(~tied), k), at[~tied, :k].ravel()
    more, other = _first_drawn(scores[tied], found[tied, k - 1], k, drawn)
    row, column = np.concatenate((row, np.flatnonzero(tied)[more])), np.concatenate((column, other))
    there = scores[row, column] > -np.inf
    row, column = row[there], column[there]
    value = scores[row, column]
    order = np.lexsort((drawn[column], -value, row))
    row, column, value = row[order], column[order], value[order]
    place = np.arange(len(row)) - np.searchsorted(row, np.arange(rows))[row]
    kept = place < k
    items[row[kept], place[kept]], values[row[kept], place[kept]] = column[kept], value[kept]
    return items, values


def _largest(scores: Tensor, k: int) -> tuple[Floats, Ints]:
    """The ``k`` largest of each row in order, and their columns; of equal ones any.

    Columns are taken together, ``_TOGETHER`` by ``_TOGETHER``: the k largest are in the k groups whose largest are largest, and so most
    numbers are looked at once.
    """
    rows, columns = scores.shape
    groups = columns // _TOGETHER
    if groups < 4 * k:
        best = torch.topk(scores, k, dim=1, sorted=True)
        return best.values.numpy(), best.indices.numpy()
    largest = scores[:, : groups * _TOGETHER].view(rows, _TOGETHER, groups).amax(1)
    group = torch.topk(largest, k, dim=1, sorted=False).indices
    columns_of = (group[:, None] + groups * torch.arange(_TOGETHER)[:, None]).flatten(1)
    rest = torch.arange(groups * _TOGETHER, columns).expand(rows, -1)
    columns_of = torch.cat([columns_of, rest], 1)
    best = torch.topk(scores.gather(1, columns_of), k, dim=1, sorted=True)
    return best.values.numpy(), columns_of.gather(1, best.indices).numpy()


def _first_drawn(scores: Floats, least: Floats, k: int, drawn: Ints) -> tuple[Ints, Ints]:
    """(row, column) of k scores of each row: all above its ``least``, and of those equal to it, however many, the first ``drawn``."""
    order = np.argsort(drawn)
    above, equal = scores > least[:, None], (scores == least[:, None])[:, order]
    equal &= np.cumsum(equal, axis=1, dtype=np.int32) <= k - above.sum(1, keepdims=True)
    row, column = np.nonzero(above)
    other, place = np.nonzero(equal)
    return np.concatenate((row, other)), np.concatenate((column, order[place]))
