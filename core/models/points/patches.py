"""Small patches around points: taken from one image, found again in another with a known change of perspective.

Everything is computed element by element, so that a point's result does not depend on which others are there.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from core.geometry.sim3 import Array

Grey = npt.NDArray[np.float32]
_REACH, _STEP = 6, 2
OFFSETS: Array = np.stack(
    [
        part.ravel()
        for part in np.meshgrid(np.arange(-_REACH, _REACH + 1, _STEP), np.arange(-_REACH, _REACH + 1, _STEP))
    ],
    -1,
).astype(float)
"""[S, 2]: where a patch is sampled, in pixels from its centre."""
_NOISE_GREY, _PRIOR_PX = 6.0, 0.5
_PRIOR = (_NOISE_GREY / _PRIOR_PX) ** 2
_ITERATIONS, _LONGEST_STEP_PX = 4, 3.0
_SLOPE, _ONE = np.array([-0.5, 0.0, 0.5]), np.array([1.0])
_PART = 256


@dataclass(frozen=True, eq=False)
class Found:
    """Where patches were found.

    Attributes:
        xy: [N, 2], pixels.
        residual: [N], mean absolute difference in grey values, after the mean of each patch is taken off.
    """

    xy: Array
    residual: Array


@dataclass(frozen=True, eq=False)
class Patches:
    """What N points look like.

    Attributes:
        values: [N, S], grey values, their mean taken off.
        weights: [N, S], 0 for samples that belong to something else than the point, 1 for the others.
    """

    values: Array
    weights: Array

    def part(self, chosen: npt.NDArray[np.int64]) -> "Patches":
        """Those of some points."""
        return Patches(self.values[chosen], self.weights[chosen])

    def contrast(self) -> Array:
        """[N], mean absolute value."""
        return _mean(np.abs(self.values), self.weights)


class Image:
    """A grey image to look in, with its slopes.

    Args:
        grey: float32 [H, W].
    """

    def __init__(self, grey: Grey) -> None:
        self.grey = grey
        across = cv2.sepFilter2D(grey, -1, _SLOPE, _ONE, borderType=cv2.BORDER_REPLICATE)
        down = cv2.sepFilter2D(grey, -1, _ONE, _SLOPE, borderType=cv2.BORDER_REPLICATE)
        self.along_x: Grey = np.asarray(across, np.float32)
        self.along_y: Grey = np.asarray(down, np.float32)

    def take(self, xy: Array, weights: Array) -> Array:
        """Patches [N, S] around positions [N, 2], their means taken off, by samples' weights [N, S]."""
        return _centred(_Bilinear(self.grey.shape, xy[:, None] + OFFSETS).of(self.grey), weights)

    def find(self, patches: Patches, start: Array, warps: Array) -> Found:
        """Where N patches are, starting from positions [N, 2], seen through warps [N, 2, 2].

        Minimises `sum(v (I(p + w) - T)^2) / noise^2 + |p - start|^2 / prior^2` by Gauss-Newton steps, v being the
        samples' weights: without texture the start decides. B. D. Lucas, T. Kanade, "An iterative image
        registration technique with an application to stereo vision", IJCAI 1981.
        """
        return Found(*_in_parts(self._find, patches.values, patches.weights, start, warps))

    def _find(self, values: Array, weights: Array, start: Array, warps: Array) -> tuple[Array, Array]:
        places = grid(warps)
        xy = start.copy()
        for _ in range(_ITERATIONS):
            look = _Bilinear(self.grey.shape, xy[:, None] + places)
            along_x, along_y = _centred(look.of(self.along_x), weights), _centred(look.of(self.along_y), weights)
            error = _centred(look.of(self.grey), weights) - values
            heavy_x, heavy_y = along_x * weights, along_y * weights
            xx, yy = _sum(along_x * heavy_x) + _PRIOR, _sum(along_y * heavy_y) + _PRIOR
            both = _sum(along_x * heavy_y)
            right = _sum(heavy_x * error) + _PRIOR * (xy[:, 0] - start[:, 0])
            down = _sum(heavy_y * error) + _PRIOR * (xy[:, 1] - start[:, 1])
            determinant = xx * yy - both * both
            step = np.stack([yy * right - both * down, xx * down - both * right], -1) / determinant[:, None]
            xy = xy - np.clip(step, -_LONGEST_STEP_PX, _LONGEST_STEP_PX)
        seen = _Bilinear(self.grey.shape, xy[:, None] + places).of(self.grey)
        return xy, _mean(np.abs(_centred(seen, weights) - values), weights)


class _Bilinear:
    """Where positions [..., 2] fall between pixels; beyond the border, on it."""

    def __init__(self, shape: tuple[int, ...], xy: Array) -> None:
        height, width = shape[:2]
        x = np.clip(xy[..., 0], 0, width - 1.001)
        y = np.clip(xy[..., 1], 0, height - 1.001)
        column, row = x.astype(np.int64), y.astype(np.int64)
        self._right, self._down = x - column, y - row
        self._at, self._width = row * width + column, width

    def of(self, image: Grey) -> Array:
        """The image's values there."""
        flat, at, below = image.ravel(), self._at, self._at + self._width
        left_of = 1 - self._right
        upper = flat[at] * left_of + flat[at + 1] * self._right
        lower = flat[below] * left_of + flat[below + 1] * self._right
        mixed: Array = upper * (1 - self._down) + lower * self._down
        return mixed


def sample(values: Grey, xy: Array) -> Array:
    """Values [H, W, C] at positions [N, 2], between pixels: [N, C]."""
    at = _Bilinear(values.shape, xy)
    return np.stack([at.of(values[..., channel]) for channel in range(values.shape[2])], -1)


def _in_parts(work: Callable[..., tuple[Array, ...]], *arrays: Array) -> tuple[Array, ...]:
    """The work done on a few points after the other, so that what is computed stays in the processor's cache."""
    parts = [work(*(array[first : first + _PART] for array in arrays)) for first in range(0, len(arrays[0]), _PART)]
    return tuple(np.concatenate(results) for results in zip(*parts, strict=True))


def grid(warps: Array) -> Array:
    """[N, S, 2]: the sampling grid, stretched by warps [N, 2, 2]."""
    x, y = OFFSETS[:, 0], OFFSETS[:, 1]
    return np.stack([warps[:, row, 0, None] * x + warps[:, row, 1, None] * y for row in range(2)], -1)


def _sum(values: Array) -> Array:
    """Over each patch; sample by sample, in one order for any number of patches."""
    total: Array = values[:, 0].copy()
    for column in range(1, values.shape[1]):
        total += values[:, column]
    return total


def _mean(values: Array, weights: Array) -> Array:
    mean: Array = _sum(values * weights) / np.maximum(_sum(weights), 1.0)
    return mean


def _centred(values: Array, weights: Array) -> Array:
    centred: Array = values - _mean(values, weights)[:, None]
    return centred
