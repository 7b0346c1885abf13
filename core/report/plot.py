"""Plots for report pages: scalable drawings of lines and points, made without a plotting library."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import floor, log10

import numpy as np

from core.geometry.sim3 import Array

_WIDTH, _HEIGHT, _MARGIN = 640, 300, 44
_MOST_NAMES = 12


@dataclass(frozen=True, eq=False)
class Series:
    """Points to draw.

    Attributes:
        name: for the legend; empty: not in it.
        number: picks the colour, the same as in pictures; 0: grey.
        xy: [N, 2].
        line: joined; else dots.
    """

    name: str
    number: int
    xy: Array
    line: bool = False


@dataclass(frozen=True)
class Mark:
    """A tick of an axis: where, in the drawing's units, and what it says."""

    at: float
    text: str


@dataclass(frozen=True, eq=False)
class Plot:
    """Series over common axes. `equal`: one unit is as long on both, as in a map; `y_most`: where the y axis ends."""

    caption: str
    series: Sequence[Series]
    x_label: str = ""
    y_label: str = ""
    equal: bool = False
    y_most: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the drawing."""
        return _WIDTH, _WIDTH if self.equal else _HEIGHT

    @property
    def legend(self) -> list[Series]:
        """The series that have a name; none where there are too many to tell apart."""
        named = [one for one in self.series if one.name]
        return named if len(named) <= _MOST_NAMES else []

    @cached_property
    def _limits(self) -> tuple[Array, Array]:
        points = np.concatenate([np.zeros((0, 2)), *(one.xy for one in self.series)])
        if len(points) == 0:
            return np.zeros(2), np.ones(2)
        low, high = points.min(0), points.max(0)
        if not self.equal:
            low[1] = min(low[1], 0.0)
            high[1] = high[1] if self.y_most is None else self.y_most
        span = np.maximum(high - low, 1e-9 + 1e-9 * np.abs(high))
        inner = np.array(self.size, float) - 2 * _MARGIN
        if self.equal:
            span, low = self._same_scale(span, low, inner)
        return low, span / inner

    @staticmethod
    def _same_scale(span: Array, low: Array, inner: Array) -> tuple[Array, Array]:
        wanted = (span / inner).max() * inner
        return wanted, low - (wanted - span) / 2

    def place(self, xy: Array) -> Array:
        """Where data points [N, 2] are in the drawing, y downwards."""
        low, unit = self._limits
        placed = (xy - low) / unit + _MARGIN
        return np.column_stack([placed[:, 0], self.size[1] - placed[:, 1]])

    def paths(self) -> list[tuple[Series, str]]:
        """Each series with its path in SVG's words: a polyline, or dots as strokes of no length."""
        drawn = []
        for one in self.series:
            points = [f"{x:.1f} {y:.1f}" for x, y in self.place(one.xy)]
            drawn.append((one, "M" + "L".join(points) if one.line else "".join(f"M{point}h0" for point in points)))
        return [(one, path) for one, path in drawn if len(one.xy)]

    def marks(self) -> tuple[list[Mark], list[Mark]]:
        """Ticks of the x axis and of the y axis, at round numbers."""
        low, unit = self._limits
        inner = np.array(self.size, float) - 2 * _MARGIN
        ticks = [_round_numbers(float(low[axis]), float(low[axis] + unit[axis] * inner[axis])) for axis in (0, 1)]
        x = [Mark(float((value - low[0]) / unit[0] + _MARGIN), f"{value:g}") for value in ticks[0]]
        y = [Mark(float(self.size[1] - (value - low[1]) / unit[1] - _MARGIN), f"{value:g}") for value in ticks[1]]
        return x, y


def _round_numbers(low: float, high: float) -> list[float]:
    raw = (high - low) / 5
    step = 10 ** floor(log10(raw))
    step *= next(factor for factor in (1, 2, 5, 10) if factor * step >= raw)
    first = int(np.ceil(low / step - 1e-9))
    last = int(np.floor(high / step + 1e-9))
    return [round(number * step, 12) for number in range(first, last + 1)]
