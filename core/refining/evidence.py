"""Does a picture bear out a change of its id map? Changed pixels are compared with the colours on both sides."""

import cv2
import numpy as np
import numpy.typing as npt

from core.masks import Mask
from core.masks.contingency import Labels
from core.models.classical.colour import Floats
from core.video.frames import RGB

Numbers = npt.NDArray[np.intp]
_REACH_PX = 20  # colours are learnt within this distance
_FEWEST_PX = 20  # from this many pixels
_NOISE = 30.0  # variance of 8-bit Lab that is always allowed for
_MOST_A_PIXEL = 5.0


def evidence(image: RGB, old: Labels, new: Numbers, gaps: Mask) -> Floats:
    """For each changed pixel, how much better its colour fits the new id than the old: a log likelihood ratio, in nats.

    The colours of an id are a Gaussian in each channel of CIE Lab, from its unchanged pixels in the square around;
    those of the background from all of its pixels there, whether or not an id is proposed for them.

    Args:
        image: RGB uint8 [H, W, 3].
        old: the map before.
        new: intp [H, W], positions in `old.ids` after; `len(old.ids)` for background.
        gaps: bool [H, W], pixels of the background that are none, but gaps in an id.

    Returns:
        float32 [H, W]; 0 for pixels that did not change, or where one side has too few pixels to learn from.
    """
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    changed = old.number != new
    teaches = (~changed | (old.number == len(old.ids))) & ~gaps
    before, after = np.full(new.shape, np.nan, np.float32), np.full(new.shape, np.nan, np.float32)
    for number in np.unique(np.concatenate([old.number[changed], new[changed]])).tolist():
        left, taken = changed & (old.number == number), changed & (new == number)
        x, y, width, height = cv2.boundingRect((left | taken).view(np.uint8))
        rows = slice(max(0, y - _REACH_PX), y + height + _REACH_PX)
        columns = slice(max(0, x - _REACH_PX), x + width + _REACH_PX)
        stays = (old.number[rows, columns] == number) & teaches[rows, columns]
        unlikely = _unlikely(np.asarray(lab[rows, columns], np.float32), stays.astype(np.float32))
        for where, cost in ((left, before), (taken, after)):
            cost[rows, columns][where[rows, columns]] = unlikely[where[rows, columns]]
    return np.asarray(np.nan_to_num(np.clip(before - after, -_MOST_A_PIXEL, _MOST_A_PIXEL)), np.float32)


def _unlikely(lab: Floats, stays: Floats) -> Floats:
    """Minus the log likelihood of each pixel under the colours of the `stays` pixels around; nan where too few."""

    def around(values: Floats) -> Floats:
        side = 2 * _REACH_PX + 1
        return np.asarray(
            cv2.boxFilter(values, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT), np.float32
        )

    pixels = around(stays)
    shared = np.maximum(pixels, 1)[..., None]
    mean = around(lab * stays[..., None]) / shared
    variance = np.maximum(around(lab * lab * stays[..., None]) / shared - mean * mean, 0) + _NOISE
    cost = ((lab - mean) ** 2 / variance + np.log(variance)).sum(axis=2) / 2
    cost[pixels < _FEWEST_PX] = np.nan
    return np.asarray(cost, np.float32)
