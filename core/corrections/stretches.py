"""Long stretches to track again are cut into pieces that are kept: a later correction costs only what it changes."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from core.corrections.anchors import Frames

STRETCH_S = 30.0
Direction = Literal["forward", "backward"]


def stretches(
    anchor_frame: int, owned: Frames, direction: Direction, frames: Frames, times_s: npt.NDArray[np.float64]
) -> list[list[int]]:
    """The frames to track from an anchor in one direction: pieces in the order in which they are tracked.

    Each lists its frames in ascending order, the first of them with the anchor's. Pieces end where times are multiples
    of `STRETCH_S`, so that one that is not the last stays the same when an anchor comes to reach less far.

    Args:
        anchor_frame: source frame of the anchor.
        owned: the frames that come from it.
        direction: of time; backward there is nothing to track where the anchor has no earlier frame.
        frames: all source frames that are processed, ascending.
        times_s: when each is shown.
    """
    if direction == "forward":
        chosen = (frames > anchor_frame) & (frames <= owned.max(initial=-1))
    else:
        chosen = (frames < anchor_frame) & (frames >= owned.min(initial=anchor_frame))
    piece = np.floor(times_s[chosen] / STRETCH_S)
    groups = [frames[chosen][piece == number].tolist() for number in np.unique(piece)]
    if direction == "forward":
        return [[anchor_frame, *(groups[0] if groups else [])], *groups[1:]]
    groups.reverse()
    return [[*groups[0], anchor_frame], *groups[1:]] if groups else []
