"""A mask kept as the small part of the picture that holds it: most things are far smaller than pictures."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from core.masks import Mask


@dataclass(frozen=True, eq=False)
class Region:
    """A mask, cropped to its bounding box.

    Attributes:
        x, y: left and top edge of the crop in the picture, in pixels.
        mask: bool [h, w], the crop.
    """

    x: int
    y: int
    mask: Mask

    @classmethod
    def of(cls, mask: Mask) -> "Region":
        """Crop a mask [H, W]. An empty one gives a crop of no pixels."""
        x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
        return cls(x, y, mask[y : y + height, x : x + width].copy())

    @property
    def window(self) -> tuple[slice, slice]:
        """Where the crop is in an array [H, W, ...]."""
        height, width = self.mask.shape
        return slice(self.y, self.y + height), slice(self.x, self.x + width)

    @cached_property
    def area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.mask))

    def meet(self, other: "Region") -> tuple[slice, slice]:
        """Where the two crops overlap, in an array [H, W, ...]; empty slices where they do not."""
        rows, columns = zip(self.window, other.window, strict=True)
        top, left = (max(one.start for one in pair) for pair in (rows, columns))
        bottom, right = (min(one.stop for one in pair) for pair in (rows, columns))
        return slice(top, max(top, bottom)), slice(left, max(left, right))

    def within(self, rows: slice, columns: slice) -> Mask:
        """The part of the mask in these rows and columns of the picture, which lie inside the crop."""
        return self.mask[rows.start - self.y : rows.stop - self.y, columns.start - self.x : columns.stop - self.x]

    def full(self, shape: tuple[int, ...]) -> Mask:
        """The mask in a picture of `shape` (H, W)."""
        mask = np.zeros(shape[:2], np.bool_)
        mask[self.window] = self.mask
        return mask
