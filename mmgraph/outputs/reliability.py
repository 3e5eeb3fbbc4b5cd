"""calibration.json -> the geometry of reliability plots; the templates turn it into SVG."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SIZE, LEFT, BOTTOM, EDGE = 240, 40, 34, 10
_LARGEST = 9.0  # radius of the fullest bin


@dataclass(frozen=True)
class Dot:
    """One bin: where its centre is, its radius (its area grows with ``n``), and what it says."""

    x: float
    y: float
    radius: float
    n: int
    probability: float
    right: float


@dataclass(frozen=True)
class Plot:
    """Links of ``relations``, or labels of a field: probability said (x) and share that is right (y), of ``n`` pairs or items; on the
    diagonal both are equal. what: ``links`` or ``labels``.

    error: ``ece``, ``low``, ``high``. threshold: under which predictions abstain, None where all do.
    """

    relations: tuple[str, ...]
    n: int
    error: tuple[float, float | None, float | None]
    dots: tuple[Dot, ...]
    shape: str
    precision: float
    threshold: float | None
    validated: tuple[str, ...]
    what: str = "links"

    @property
    def threshold_x(self) -> float | None:
        """Where the threshold stands."""
        return None if self.threshold is None else at(self.threshold, 0.0)[0]


def at(probability: float, right: float) -> tuple[float, float]:
    """Place in the drawing of two shares.

    >>> at(0.0, 0.0), at(1.0, 1.0)
    ((40.0, 206.0), (230.0, 10.0))
    """
    x = LEFT + probability * (SIZE - LEFT - EDGE)
    return round(x, 1), round(SIZE - BOTTOM - right * (SIZE - BOTTOM - EDGE), 1)


def plots(records: Sequence[Mapping[str, Any]]) -> list[Plot]:
    """One plot for a field, or for relations whose probabilities were made and measured together; none for what was not measured."""
    together: dict[str, list[Mapping[str, Any]]] = {}
    for one in records:
        if one.get("reliability"):
            key = one.get("field"), one["calibration"], one["threshold"], one["reliability"]
            together.setdefault(repr(key), []).append(one)
    return [_plot(some) for some in together.values()]


def _plot(records: Sequence[Mapping[str, Any]]) -> Plot:
    one, found = records[0], records[0]["reliability"]
    most = max((each["n"] for each in found["bins"]), default=1)
    dots = tuple(
        Dot(
            *at(each["probability"], each["right"]),
            radius=round(max(1.5, _LARGEST * math.sqrt(each["n"] / most)), 1),
            n=each["n"],
            probability=each["probability"],
            right=each["right"],
        )
        for each in found["bins"]
    )
    validated = tuple(sorted({group for each in records for group in each["validated"]}))
    return Plot(
        relations=tuple(str(each["field"] if "field" in each else each["relation"]) for each in records),
        n=found["n"],
        error=(found["ece"], found["low"], found["high"]),
        dots=dots,
        shape=one["calibration"]["shape"],
        precision=one["precision"],
        threshold=one["threshold"],
        validated=validated,
        what="labels" if "field" in one else "links",
    )
