"""Numbers -> the geometry of small drawings; the templates turn it into SVG."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 320, 150
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 8, 22
POINTS = 300
_SPLITS = ("train", "valid", "val", "test")


@dataclass(frozen=True)
class Line:
    """One curve: ``points`` of an SVG polyline, its last value, and its lowest and highest."""

    name: str
    points: str
    last: float
    low: float
    high: float


@dataclass(frozen=True)
class LineChart:
    """Curves in one box of WIDTH x HEIGHT; ticks are (position, text)."""

    title: str
    lines: tuple[Line, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


def line_charts(curves: Sequence[tuple[int, str, float]]) -> list[LineChart]:
    """(epoch, name, value) -> one chart for names that differ only in train / valid; values that are not finite are left out."""
    groups: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for epoch, name, value in curves:
        if math.isfinite(value):
            groups.setdefault(_stem(name), {}).setdefault(name, []).append((epoch, value))
    return [_chart(title if len(series) > 1 else next(iter(series)), series) for title, series in groups.items()]


def _stem(name: str) -> str:
    """``valid/loss`` and ``train_loss`` belong to ``loss``."""
    for split in _SPLITS:
        for mark in "/_.":
            name = name.removeprefix(split + mark).removesuffix(mark + split)
    return name


def _chart(title: str, series: Mapping[str, list[tuple[int, float]]]) -> LineChart:
    every = [point for points in series.values() for point in points]
    first, last = min(x for x, _ in every), max(x for x, _ in every)
    ticks = nice_ticks(min(y for _, y in every), max(y for _, y in every))
    low, high = min(ticks[0], *(y for _, y in every)), max(ticks[-1], *(y for _, y in every))

    def at_x(value: float) -> float:
        return LEFT + (value - first) / max(last - first, 1) * (WIDTH - LEFT - RIGHT)

    def at_y(value: float) -> float:
        return TOP + (high - value) / ((high - low) or 1.0) * (HEIGHT - TOP - BOTTOM)

    lines = []
    for name, points in series.items():
        kept = points[:: max(1, len(points) // POINTS)]
        kept = kept if kept[-1] == points[-1] else [*kept, points[-1]]
        values = [value for _, value in points]
        drawn = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in kept)
        lines.append(Line(name, drawn, values[-1], min(values), max(values)))
    x_values = sorted({first, (first + last) // 2, last})
    return LineChart(
        title,
        tuple(lines),
        tuple((round(at_x(x), 1), str(x)) for x in x_values),
        tuple((round(at_y(y), 1), f"{y:.3g}") for y in ticks),
    )


def nice_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers within and around low..high, at most ``count`` + 2.

    >>> nice_ticks(0.03, 0.97)
    [0.0, 0.5, 1.0]
    """
    if high <= low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    start, stop = math.floor(low / step), math.ceil(high / step)
    return [round(step * i, 12) for i in range(start, stop + 1)]


@dataclass(frozen=True)
class Gap:
    """A difference with its interval on an axis symmetrical about zero: positions in per cent."""

    low: float
    value: float
    high: float
    bound: float


def gap(value: float, low: float | None, high: float | None) -> Gap | None:
    """Where a difference lies, None where it has no interval."""
    if low is None or high is None:
        return None
    bound = max(abs(low), abs(high), abs(value)) * 1.15 or 1.0
    left, middle, right = (round(50 + 50 * one / bound, 2) for one in (low, value, high))
    return Gap(left, middle, right, bound)


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix: ``cells[i][j]`` (count, share of the row), class i called j; ``right``: share on the diagonal."""

    target: str
    method: str
    classes: tuple[str, ...]
    cells: tuple[tuple[tuple[int, float], ...], ...]
    worst: tuple[tuple[str, str, int], ...]
    right: float
    total: int


def matrix(one: Mapping[str, Any]) -> Matrix:
    """An entry of confusion.json -> shares, and the ten commonest confusions (class, called, how often)."""
    counts, classes = one["counts"], tuple(str(name) for name in one["classes"])
    cells = tuple(tuple((n, n / max(sum(row), 1)) for n in row) for row in counts)
    wrong = [(classes[i], classes[j], n) for i, row in enumerate(counts) for j, n in enumerate(row) if i != j and n]
    total = sum(map(sum, counts))
    right = sum(counts[i][i] for i in range(len(classes))) / max(total, 1)
    worst = tuple(sorted(wrong, key=lambda w: -w[2])[:10])
    return Matrix(str(one["target"]), str(one["method"]), classes, cells, worst, right, total)
