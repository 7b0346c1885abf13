"""Which detection is which object, one to one."""

from collections.abc import Sequence

import numpy as np

from core.masks import Box
from core.masks.assignment import assign
from core.masks.boxes import iou_matrix
from core.prompts import Detection


def match_detections(
    boxes: Sequence[Box],
    expected: Sequence[Box | None],
    labels: Sequence[str | None],
    detections: Sequence[Detection],
    min_iou: float,
) -> list[tuple[int, int]]:
    """Pairs (object, detection) by box IoU; an object with a label only meets detections of that label.

    The IoU with an object's box and the one with where it is `expected` count alike: a mask that has gone over to a
    look-alike in front does not take its detection. One of the two must reach `min_iou`.
    """
    if not boxes or not detections:
        return []
    found = [d.box for d in detections]
    here = iou_matrix(boxes, found)
    there = iou_matrix([going or box for going, box in zip(expected, boxes, strict=True)], found)
    same = np.array([[label is None or label == d.label for d in detections] for label in labels])
    return assign(np.where(same & (np.maximum(here, there) >= min_iou), (here + there) / 2, 0.0), 1e-6)


def covered_share(box: Box, others: Sequence[Box]) -> float:
    """The largest share of `box` that lies inside one of `others`, 0..1."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    if not others or area <= 0:
        return 0.0
    edges = np.asarray(others, np.float64)
    sides = np.clip(np.minimum(edges[:, 2:], box[2:]) - np.maximum(edges[:, :2], box[:2]), 0, None)
    return float(sides.prod(axis=1).max() / area)
