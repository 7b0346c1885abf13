"""Prompts as people give them, drawn from the true masks; and clicks on what a mask has wrong."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_OBJECT, _BACKGROUND, _TOP_LEFT, _BOTTOM_RIGHT, _PADDING = 1, 0, 2, 3, -1
_BOX_JITTER = 0.05
_BOXES, _BOXES_AND_CLICKS = 0.5, 0.8  # of all first prompts; the others are masks

Bools = npt.NDArray[np.bool_]
Points = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Prompts:
    """One kind of prompt for B objects: points (a box is two) or masks [B, 1, S, S]."""

    points: Points | None
    masks: Tensor | None


def first_prompts(rng: np.random.Generator, truth: Bools, with_masks: bool) -> Prompts:
    """Boxes or clicks, or `with_masks` also masks, for objects with true masks [B, S, S]; none of them empty."""
    kind = rng.random() * (1.0 if with_masks else _BOXES_AND_CLICKS)
    if kind < _BOXES:
        return Prompts(_points([_box(rng, one) for one in truth], [[_TOP_LEFT, _BOTTOM_RIGHT]] * len(truth)), None)
    if kind < _BOXES_AND_CLICKS:
        return Prompts(_points([[_click(rng, one)] for one in truth], [[_OBJECT]] * len(truth)), None)
    return Prompts(None, torch.from_numpy(truth)[:, None].float())


def corrections(rng: np.random.Generator, truth: Bools, found: Bools) -> Points:
    """One click for each object on its largest mistake, or on itself where there is none. Masks are [B, S, S]."""
    clicks, labels = [], []
    for one, wrong in zip(truth, truth ^ found, strict=True):
        spot = _click(rng, wrong if wrong.any() else one) if wrong.any() or one.any() else None
        x, y = spot or (0.0, 0.0)
        clicks.append([(x, y)])
        labels.append([_PADDING if spot is None else _OBJECT if one[int(y), int(x)] else _BACKGROUND])
    return _points(clicks, labels)


def _box(rng: np.random.Generator, mask: Bools) -> list[tuple[float, float]]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x0, y0, x1, y1 = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    spread = np.array([x1 - x0, y1 - y0] * 2) * _BOX_JITTER
    corners = np.array([x0, y0, x1, y1]) + rng.normal(0, 1, 4) * spread
    a, b, c, d = np.clip(corners, 0, len(mask)).tolist()
    return [(a, b), (c, d)]


def _click(rng: np.random.Generator, region: Bools) -> tuple[float, float]:
    """A point well inside the region, x and y; or anywhere in it."""
    if rng.random() < 0.5:
        depth = cv2.distanceTransform(np.pad(region.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
        y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    else:
        spots = np.argwhere(region)
        y, x = spots[rng.integers(len(spots))]
    return float(x) + 0.5, float(y) + 0.5


def _points(coords: list[list[tuple[float, float]]], labels: list[list[int]]) -> Points:
    return {
        "point_coords": torch.tensor(coords, dtype=torch.float32),
        "point_labels": torch.tensor(labels, dtype=torch.int32),
    }
