"""Long stretches to track again are cut into pieces that are kept: a later correction costs only what it changes."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from core.corrections.anchors import Frames, Reach

STRETCH_S = 30.0
Direction = Literal["forward", "backward"]


def stretches(reach: Reach, direction: Direction, frames: Frames, times_s: npt.NDArray[np.float64]) -> list[list[int]]:
    """The frames to track from an anchor in one direction: pieces in the order in which they are tracked.

    Each lists its frames in ascending order, the first of them with the anchor's. Pieces end where times are multiples
    of `STRETCH_S`, so that one that is not the last stays the same when an anchor comes to reach less far.

    Args:
        reach: the anchor and its frames.
        direction: of time; backward there is nothing to track where the anchor has no earlier frame.
        frames: all source frames that are processed, ascending.
        times_s: when each is shown.
    """
    start = reach.anchor.frame
    later = (frames > start) & (frames <= reach.last)
    chosen = later if direction == "forward" else (frames < start) & (frames >= reach.first)
    if direction == "backward" and not chosen.any():
        return []
    piece = np.floor(times_s[chosen] / STRETCH_S)
    groups = [frames[chosen][piece == number].tolist() for number in np.unique(piece)]
    if direction == "backward":
        groups.reverse()
    if not groups:
        return [[start]]
    groups[0] = [start, *groups[0]] if direction == "forward" else [*groups[0], start]
    return groups
