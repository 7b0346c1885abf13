"""Knowing lost objects again: by place, time and appearance, all newcomers of a moment at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, hypot

import numpy as np

from core.masks.appearance import histogram_overlap
from core.masks.assignment import assign
from core.tracking.track import Rules, Track, centre


@dataclass(frozen=True, eq=False)
class Recognised:
    """A newcomer that is a lost object, and how much they look alike, 0..1; less counts in another shot."""

    new: Track
    old: Track
    likeness: float


def recognise(gone: Sequence[Track], newcomers: Sequence[Track], time_s: float, rules: Rules) -> list[Recognised]:
    """Which newcomers are which lost objects, one to one.

    Of several that look alike, the one that is nearest to where it was going counts most.
    """
    if not gone or not newcomers:
        return []
    likeness = np.array([[_likeness(old, new, time_s, rules) for new in newcomers] for old in gone])
    nearness = np.array([[_nearness(old, new, time_s) for new in newcomers] for old in gone])
    return [
        Recognised(newcomers[column], gone[row], float(likeness[row, column]))
        for row, column in assign(likeness * (1 + nearness) / 2, 1e-6)
    ]


def _likeness(old: Track, new: Track, time_s: float, rules: Rules) -> float:
    """How much a newcomer looks like a lost object; 0 where it cannot be that."""
    if old.label != new.label or not _can_be(old, new, time_s, rules):
        return 0.0
    alike, across = histogram_overlap(old.appearance, new.appearance), old.shot != new.shot
    if alike < (rules.look_alike_across if across else rules.look_alike):
        return 0.0
    return alike * (rules.sure_across if across else 1.0)


def _can_be(old: Track, new: Track, time_s: float, rules: Rules) -> bool:
    """Whether an object could have come from where it was last seen to where a new one is, in the time between."""
    away_s = abs(time_s - old.sound_s)
    if away_s > rules.forgotten_s:
        return False
    if old.shot != new.shot:  # where it was says nothing
        return True
    return is_in_reach(old, new, rules.speed * away_s if away_s >= rules.away_s else 0.0, rules)


def is_in_reach(old: Track, new: Track, went: float, rules: Rules) -> bool:
    """Whether a new object is near where an old one was last in sight, which `went` so many of its diagonals."""
    if old.place is None or new.box is None:
        return False
    (x, y), (u, v) = centre(old.place), centre(new.box)
    return hypot(x - u, y - v) <= (rules.touching + went) * old.diagonal


def _nearness(old: Track, new: Track, time_s: float) -> float:
    """1 where a newcomer is just where a lost object was going, and less the farther it is from there."""
    if old.shot != new.shot or old.place is None or new.box is None:
        return 1.0
    (x, y), (u, v) = centre(old.expected(time_s) or old.place), centre(new.box)
    return exp(-hypot(x - u, y - v) / (2 * max(1.0, old.diagonal)))
