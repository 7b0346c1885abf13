"""Superpixels: patches of a picture that keep to its edges, and what divides neighbours."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from core.models.classical.colour import Floats
from core.video.frames import RGB

_SMOOTHING_PX = 0.8


@dataclass(frozen=True, eq=False)
class Superpixels:
    """A picture cut into K patches.

    Attributes:
        labels: int32 [H, W], the patch of each pixel, 0 .. K-1.
        area: float64 [K], pixels.
        colour: float64 [K, 3], mean 8-bit CIE Lab.
        edges: int64 [E, 2], pairs of patches that touch, the smaller first.
        length: float64 [E], pixels along which they touch.
        contrast: float64 [E], mean strength of the picture's edge along there, in Lab units a pixel.
    """

    labels: npt.NDArray[np.int32]
    area: npt.NDArray[np.float64]
    colour: npt.NDArray[np.float64]
    edges: npt.NDArray[np.int64]
    length: npt.NDArray[np.float64]
    contrast: npt.NDArray[np.float64]


def superpixels(image: RGB, step: int) -> Superpixels:
    """Flood the picture from seeds on a grid (Meyer's watershed, as in OpenCV), by colour.

    Args:
        image: RGB uint8 [H, W, 3].
        step: distance between seeds in pixels; each is moved to the flattest spot nearby.
    """
    lab = np.asarray(cv2.cvtColor(cv2.GaussianBlur(image, (0, 0), _SMOOTHING_PX), cv2.COLOR_RGB2LAB), np.uint8)
    gradient = _gradient(lab)
    labels = _flood(lab, _seeds(gradient, step))
    flat, count = labels.ravel(), int(labels.max()) + 1
    area = np.bincount(flat, minlength=count).astype(np.float64)
    sums = [np.bincount(flat, lab[..., channel].ravel(), count) for channel in range(3)]
    return Superpixels(labels, area, np.stack(sums, axis=1) / area[:, None], *_neighbours(labels, gradient))


def _gradient(lab: RGB) -> Floats:
    across, down = cv2.Sobel(lab, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(lab, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(np.sqrt((across * across + down * down).sum(axis=2)), np.float32)


def _seeds(gradient: Floats, step: int) -> npt.NDArray[np.int32]:
    seeds = np.zeros(gradient.shape, np.int32)
    reach = step // 3
    number = 0
    for y in range(min(step // 2, gradient.shape[0] - 1), gradient.shape[0], step):
        for x in range(min(step // 2, gradient.shape[1] - 1), gradient.shape[1], step):
            top, left = max(0, y - reach), max(0, x - reach)
            near = gradient[top : y + reach + 1, left : x + reach + 1]
            row, column = divmod(int(near.argmin()), near.shape[1])
            number += 1
            seeds[top + row, left + column] = number
    return seeds


def _flood(lab: RGB, seeds: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    labels = np.asarray(cv2.watershed(lab, seeds.copy()), np.int32)
    # OpenCV leaves lines of -1 between the basins, and at the picture's edge (over seeds, too): they go to a neighbour.
    labels[seeds > 0] = seeds[seeds > 0]
    lines = labels <= 0
    while lines.any():
        spread = cv2.dilate(np.where(lines, 0, labels).astype(np.float32), np.ones((3, 3), np.uint8))
        labels[lines] = spread[lines]
        lines = labels <= 0
    # Of two seeds on one spot, one has no patch: numbers without gaps.
    return np.asarray(np.unique(labels, return_inverse=True)[1].reshape(labels.shape), np.int32)


def _neighbours(
    labels: npt.NDArray[np.int32], gradient: Floats
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    keys, strengths, count = [], [], int(labels.max()) + 1
    for one, other in (
        (np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])
    ):  # fmt: skip
        apart = labels[one] != labels[other]
        first, second = labels[one][apart].astype(np.int64), labels[other][apart]
        keys.append(np.minimum(first, second) * count + np.maximum(first, second))
        strengths.append(np.maximum(gradient[one][apart], gradient[other][apart]))
    found, which = np.unique(np.concatenate(keys), return_inverse=True)
    length = np.bincount(which, minlength=len(found)).astype(np.float64)
    contrast = np.bincount(which, np.concatenate(strengths), len(found)) / np.maximum(length, 1)
    return np.stack([found // count, found % count], axis=1), length, contrast
