"""How much two masks have in common."""

import numpy as np

from core.masks import Mask


def mask_iou(one: Mask, other: Mask) -> float:
    """Intersection over union of two masks [H, W]; 1 where both are empty."""
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else 1.0
