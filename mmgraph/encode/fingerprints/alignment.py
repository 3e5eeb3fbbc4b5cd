"""Whether one small picture is another one: cropped a little, brighter, with a mark in a corner, but the same."""

import cv2
import numpy as np

from mmgraph.types import Bools, Bytes, Floats

SIDE = 32
_SMOOTH = 0.8  # pixels: what resampling makes of an edge is no difference
_CELL = 4
_STEPS, _COARSE_STEPS, _LIGHT_STEPS = 3, 4, 2
_REACH = 3.5  # pixels of 32 that an edge may have moved: crops of up to a tenth
_HOPELESS = 4.0  # of what is allowed, at a quarter of the pixels
_FEW = 5  # pixels of a cell that must be in both pictures
_BLOCK = 1024


def differences(first: Bytes, second: Bytes, most: float) -> Floats:
    """uint8 [pairs, SIDE, SIDE] twice -> float32 [pairs]: the largest difference in any place, 0 the same, about 1 unlike.

    One is laid over the other by Gauss-Newton over a change of scale and place along each axis (Lucas & Kanade 1981; edges
    move by up to a tenth), its brightness and contrast fitted. A place is one of 8 x 8 cells; its difference is the root mean
    square of what is left over the smaller contrast of the two pictures. One of the four corners (3 x 2 cells) may differ:
    there marks are put. Both ways are tried. So what is alike on the whole and not in one place, such as two moments of
    one scene, is told apart. Pairs that are far beyond ``most`` at half the resolution are left at infinity.
    """
    found = np.full(len(first), np.inf, np.float32)
    for start in range(0, len(first), _BLOCK):
        here = slice(start, start + _BLOCK)
        found[here] = _block(_smooth(first[here]), _smooth(second[here]), most)
    return found


def _smooth(pictures: Bytes) -> Floats:
    """float32 [n, SIDE, SIDE]; all in one call of cv2, one after the other in the channels it treats alike."""
    return np.stack(
        [cv2.GaussianBlur(one.astype(np.float32), (0, 0), _SMOOTH, borderType=cv2.BORDER_REFLECT) for one in pictures]
    )


def _block(first: Floats, second: Floats, most: float) -> Floats:
    found = np.full(len(first), np.inf, np.float32)
    one, other = (some.reshape(-1, SIDE // 2, 2, SIDE // 2, 2).mean(axis=(2, 4)) for some in (first, second))
    start = np.zeros((len(first), 4), np.float32)
    for small, other_small, large, other_large in ((one, other, first, second), (other, one, second, first)):
        rough, moved = _left(small, other_small, start, _COARSE_STEPS)
        hopeful = np.flatnonzero(rough <= _HOPELESS * most)
        if len(hopeful):
            error, _ = _left(large[hopeful], other_large[hopeful], 2 * moved[hopeful], _STEPS)
            found[hopeful] = np.minimum(found[hopeful], error)
    return found


def _left(first: Floats, second: Floats, start: Floats, steps: int) -> tuple[Floats, Floats]:
    """What of ``second`` the best view of ``first`` does not explain, float32 [pairs], and that view: ``start``, or better."""
    grid = _Grid(first.shape[1])
    one, other = first.reshape(len(first), -1), second.reshape(len(second), -1)
    moved = _aligned(one, other, grid, start, steps)
    before, after = _error(one, other, grid, start), _error(one, other, grid, moved)
    return np.minimum(before, after), np.where((after < before)[:, None], moved, start)


def _error(one: Floats, other: Floats, grid: "_Grid", moved: Floats) -> Floats:
    seen, inside, _, _ = grid.view(one, moved)
    inside &= grid.inner
    weight = inside.astype(np.float32)
    for _ in range(_LIGHT_STEPS):
        gain, offset = _light(seen, other, weight)
        weight = inside * _trust(other - gain * seen - offset)
    gain, offset = _light(seen, other, weight)
    rest = np.where(inside, other - np.clip(gain * seen + offset, 0, 255), 0)
    contrast = np.maximum(np.minimum(one.std(axis=1), other.std(axis=1)), 1.0)
    cells, side = SIDE // _CELL, grid.side
    shape = (len(rest), cells, side // cells, cells, side // cells)
    count = inside.reshape(shape).sum(axis=(2, 4))
    squares = (rest**2).reshape(shape).sum(axis=(2, 4)) / np.maximum(count, 1)
    error = np.where(count >= _FEW * (side / SIDE) ** 2, np.sqrt(squares), 0) / contrast[:, None, None]
    return _but_one_corner(error.astype(np.float32))


def _but_one_corner(error: Floats) -> Floats:
    """float32 [n, cells, cells] -> the largest outside of that corner whose leaving out helps most."""
    best = error.max(axis=(1, 2))
    for rows in (slice(0, 2), slice(-2, None)):
        for columns in (slice(0, 3), slice(-3, None)):
            left = error.copy()
            left[:, rows, columns] = 0
            best = np.minimum(best, left.max(axis=(1, 2)))
    return best


class _Grid:
    """Pixels of a square picture, row by row: ``x``, ``y`` from 0; ``u``, ``v`` from -1 to 1; ``inner`` without the rim."""

    def __init__(self, side: int) -> None:
        y, x = np.divmod(np.arange(side * side), side)
        self.side = side
        self.x, self.y = x.astype(np.float32), y.astype(np.float32)
        half = np.float32(side / 2)
        self.u, self.v = (self.x - half + 0.5) / half, (self.y - half + 0.5) / half
        rim = 1 if side == SIDE else 0
        self.inner: Bools = (x >= rim) & (x < side - rim) & (y >= rim) & (y < side - rim)

    def view(self, pictures: Floats, moved: Floats) -> tuple[Floats, Bools, Floats, Floats]:
        """Each picture seen after its four changes (scale and place along x, along y): values, which pixels lie in it, slopes."""
        x = self.x + moved[:, 0:1] * self.u + moved[:, 1:2]
        y = self.y + moved[:, 2:3] * self.v + moved[:, 3:4]
        last = np.float32(self.side - 0.5)
        inside = (x >= -0.5) & (x <= last) & (y >= -0.5) & (y <= last)
        x, y = np.clip(x, 0, self.side - 1.001), np.clip(y, 0, self.side - 1.001)
        left, top = x.astype(np.int64), y.astype(np.int64)
        right, down = x - left, y - top
        corner = top * self.side + left
        a, b, c, d = (np.take_along_axis(pictures, corner + step, 1) for step in (0, 1, self.side, self.side + 1))
        above, below = a + (b - a) * right, c + (d - c) * right
        across = (b - a) * (1 - down) + (d - c) * down
        return above + (below - above) * down, inside, across, below - above


def _light(seen: Floats, wanted: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Gain (a third to three) and offset that bring ``seen`` nearest to ``wanted``: float32 [n, 1] each."""
    total = np.maximum(weight.sum(axis=1, keepdims=True), 1e-6)
    mean, aim = (weight * seen).sum(axis=1, keepdims=True) / total, (weight * wanted).sum(axis=1, keepdims=True) / total
    spread = (weight * (seen - mean) ** 2).sum(axis=1, keepdims=True)
    gain = np.clip((weight * (seen - mean) * (wanted - aim)).sum(axis=1, keepdims=True) / np.maximum(spread, 1e-3), 0.3, 3)
    return gain, aim - gain * mean


def _trust(rest: Floats) -> Floats:
    """Cauchy's weights, by the median of what is left: a mark in a corner, or a limb that moved, must not pull."""
    typical = np.maximum(1.5 * np.median(np.abs(rest), axis=1, keepdims=True), 1.0)
    return (1 / (1 + (rest / (1.5 * typical)) ** 2)).astype(np.float32)


def _aligned(one: Floats, other: Floats, grid: _Grid, moved: Floats, steps: int) -> Floats:
    """The four changes of ``one``, from ``moved`` on, that bring it nearest to ``other``: float32 [n, 4], in pixels at the edge."""
    trust: Floats = np.ones_like(one)
    reach = np.float32(_REACH * grid.side / SIDE)
    steady = 0.1 * np.square(other.std(axis=1))[:, None, None] * np.eye(4, dtype=np.float32)
    for _ in range(steps):
        seen, inside, across, down = grid.view(one, moved)
        weight = trust * inside
        gain, offset = _light(seen, other, weight)
        rest = other - gain * seen - offset
        trust = _trust(rest)
        slopes = gain[:, :, None] * np.stack([across * grid.u, across, down * grid.v, down], axis=2)
        weighted = slopes * weight[:, :, None]
        slopes = slopes - weighted.sum(axis=1, keepdims=True) / np.maximum(weight.sum(axis=1), 1e-6)[:, None, None]
        weighted = slopes * weight[:, :, None]
        bent = np.matmul(weighted.transpose(0, 2, 1), slopes) + steady
        pull = np.matmul(weighted.transpose(0, 2, 1), rest[:, :, None])
        moved = np.clip(moved + np.linalg.solve(bent, pull)[:, :, 0], -reach, reach).astype(np.float32)
    return moved
