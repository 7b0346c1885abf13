"""What an object looks like, to know it again after it was gone."""

import cv2
import numpy as np
import numpy.typing as npt

from core.masks import Mask
from core.masks.boxes import mask_box
from core.video.frames import RGB

Appearance = npt.NDArray[np.float32]
_BINS = (12, 6, 4)  # hue, saturation, value


def appearance(image: RGB, mask: Mask) -> Appearance:
    """Colour distribution (HSV, 288 bins) of the pixels under the mask, summing to 1; zeros for an empty mask."""
    box = mask_box(mask)
    if box is None:
        return np.zeros(int(np.prod(_BINS)), np.float32)
    x0, y0, x1, y1 = (int(v) for v in box)
    hsv = cv2.cvtColor(np.ascontiguousarray(image[y0:y1, x0:x1]), cv2.COLOR_RGB2HSV)
    inside = np.ascontiguousarray(mask[y0:y1, x0:x1]).view(np.uint8)
    counts = cv2.calcHist([hsv], [0, 1, 2], inside, list(_BINS), [0, 180, 0, 256, 0, 256])
    return np.asarray(counts.ravel() / max(float(counts.sum()), 1.0), np.float32)


def similarity(first: Appearance, second: Appearance) -> float:
    """Bhattacharyya coefficient of two appearances, 0..1."""
    return float(np.sqrt(first * second).sum())
