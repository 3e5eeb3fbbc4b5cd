"""Weights of ordered pairs -> the order of all items whose neighbours weigh most: the longest Hamiltonian path.

An assignment of followers is an upper bound: where it forms one path, that is the answer (the relaxation that branch and bound
starts from, Carpaneto & Toth 1980). Else up to EXACT items by dynamic programming (Held & Karp 1962, section 2), and beyond by joining
the heaviest pairs that neither branch nor close a circle (the multi-fragment heuristic, Bentley 1992), then reversing stretches (2-opt,
Croes 1958) and moving short ones (Or 1976) as long as that gains. Nothing is drawn by chance; of equal orders the items' own decides.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from mmgraph.types import Ints

Reals = npt.NDArray[np.float64]
EXACT = 12  # items up to which the order is the best there is: 2^12 x 12 partial orders
_MOVED = 3  # items moved together at most (Or 1976)
_GAIN = 1e-9


def best_order(weights: Reals) -> Ints:
    """Positions int64 [n], each once, with the largest sum of ``weights[a, b]`` over neighbours (b after a).

    weights: float64 [n, n], finite; the diagonal is not read.

    >>> best_order(np.array([[0.0, 0.0, 5.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    array([1, 0, 2])
    """
    count = len(weights)
    if count < 2:
        return np.arange(count, dtype=np.int64)
    relaxed = _assigned(weights)
    if relaxed is not None:
        return relaxed
    return _exact(weights) if count <= EXACT else improved(weights, joined(weights))


def total(weights: Reals, order: Ints) -> float:
    """Sum over neighbours.

    >>> total(np.array([[0.0, 2.0], [3.0, 0.0]]), np.array([1, 0]))
    3.0
    """
    return float(weights[order[:-1], order[1:]].sum())


def _assigned(weights: Reals) -> Ints | None:
    """The best followers without a rule against circles, if they form one path; one more place is before the first and after the last."""
    count = len(weights)
    costs = np.zeros((count + 1, count + 1))
    costs[:count, :count] = -weights
    forbidden = 1.0 + 2.0 * (count + 1) * (np.abs(costs).max() + 1.0)
    np.fill_diagonal(costs, forbidden)
    after = linear_sum_assignment(costs)[1]
    order = [int(after[count])]
    while len(order) < count and after[order[-1]] != count:
        order.append(int(after[order[-1]]))
    return np.array(order, np.int64) if len(order) == count else None


def _exact(weights: Reals) -> Ints:
    """``best[set, last]``: the heaviest order of a set that ends with last, from the sets with one item less."""
    count = len(weights)
    sets = np.arange(1 << count)
    sizes = sum((sets >> item) & 1 for item in range(count))
    best = np.full((1 << count, count), -np.inf)
    before = np.zeros((1 << count, count), np.int64)
    best[1 << np.arange(count), np.arange(count)] = 0.0
    for size in range(1, count):
        some = sets[sizes == size]
        for item in range(count):
            without = some[(some >> item) & 1 == 0]
            reached = best[without] + weights[None, :, item]
            with_item = without | (1 << item)
            before[with_item, item] = reached.argmax(1)
            best[with_item, item] = reached.max(1)
    left, last = len(sets) - 1, int(best[-1].argmax())
    order = [last]
    for _ in range(count - 1):
        left, last = left & ~(1 << last), int(before[left, last])
        order.append(last)
    return np.array(order[::-1], np.int64)


def joined(weights: Reals) -> Ints:
    """Pairs by weight, the heaviest first, each joining the end of a chain with the start of another."""
    count = len(weights)
    source, target = np.divmod(np.argsort(-weights, axis=None, kind="stable"), count)
    after, start, end = np.full(count, -1), np.arange(count), np.arange(count)  # start[end of a chain], end[start of a chain]
    has_before = np.zeros(count, bool)
    left = count - 1
    for a, b in zip(source.tolist(), target.tolist(), strict=True):
        if after[a] >= 0 or has_before[b] or start[a] == b:
            continue
        after[a], has_before[b] = b, True
        first, last = start[a], end[b]
        start[last], end[first] = first, last
        left -= 1
        if not left:
            break
    order = [int(np.flatnonzero(~has_before)[0])]
    while after[order[-1]] >= 0:
        order.append(int(after[order[-1]]))
    return np.array(order, np.int64)


def improved(weights: Reals, order: Ints) -> Ints:
    """Take the change that gains most, until none gains."""
    while True:
        gain, changed = max((_reversal(weights, order), *_moves(weights, order)), key=lambda one: one[0])
        if gain <= _GAIN:
            return order
        order = changed


def _reversal(weights: Reals, order: Ints) -> tuple[float, Ints]:
    """The stretch whose reversal gains most; both directions of a stretch weigh differently, so whole stretches are summed up."""
    count = len(order)
    between = _padded(weights, order)
    forward = np.concatenate(([0.0], np.cumsum(weights[order[:-1], order[1:]])))
    backward = np.concatenate(([0.0], np.cumsum(weights[order[1:], order[:-1]])))
    inner = (backward[None, :] - backward[:, None]) - (forward[None, :] - forward[:, None])
    first, last = np.arange(count)[:, None], np.arange(count)[None, :]
    new = between[first, last + 1] + between[first + 1, last + 2]  # in ``between`` the place i is i + 1
    old = between[first, first + 1] + between[last + 1, last + 2]
    gain = np.where(first < last, inner + new - old, -np.inf)
    i, j = np.divmod(int(gain.argmax()), count)
    return float(gain[i, j]), np.concatenate((order[:i], order[i : j + 1][::-1], order[j + 1 :]))


def _moves(weights: Reals, order: Ints) -> list[tuple[float, Ints]]:
    """Of each length the stretch, and its new place, that gains most."""
    count = len(order)
    between = _padded(weights, order)
    found = []
    for length in range(1, min(_MOVED, count - 1) + 1):
        start = np.arange(count - length + 1)
        end = start + length  # in ``between``: of the last of the stretch
        out = between[start, end + 1] - between[start, start + 1] - between[end, end + 1]
        place = np.arange(count + 1)[None, :]  # in ``between``: the stretch comes after this one
        put = between[place, start[:, None] + 1] + between[end[:, None], place + 1] - between[place, place + 1]
        gain = np.where((place < start[:, None]) | (place > end[:, None]), out[:, None] + put, -np.inf)
        i, p = np.divmod(int(gain.argmax()), count + 1)
        rest = np.delete(order, slice(i, i + length))
        at = p if p < i else p - length
        found.append((float(gain[i, p]), np.insert(rest, at, order[i : i + length])))
    return found


def _padded(weights: Reals, order: Ints) -> Reals:
    """Weights in this order, with a place before the first and one after the last that weigh nothing: [n + 2, n + 2]."""
    out = np.zeros((len(order) + 2, len(order) + 2))
    out[1:-1, 1:-1] = weights[np.ix_(order, order)]
    return out
