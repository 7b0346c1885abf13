"""From a prompt on one frame to the object's mask there."""

import cv2
import numpy as np
import numpy.typing as npt

from core.masks import Box, Mask
from core.masks.boxes import iou_matrix, mask_box
from core.models.classical.colour import Floats, colour_bins, histogram, log_ratio
from core.models.classical.filters import crop_around, grab_cut, guided_filter, sigmoid
from core.prompts import Prompt
from core.video.frames import RGB

_COLOUR_ROUNDS = 6
_CONTEXT = 0.35  # how much around the box shows what the background looks like, as a share of the box
_SURE = 0.9
_MIN_SHARE_OF_BOX = 0.2
_MIN_BOX_IOU = 0.5
_FALL_OFF, _FALL_OFF_LOOSE = 0.45, 5.0  # how fast the expectation of finding the object falls from the middle
_POINT_REACH = 0.15  # of the picture's longer side: how far from a point its object may extend


def prompted_mask(image: RGB, prompt: Prompt) -> Mask:
    """The object's mask [H, W] for a box, points or a finished mask on `image` [H, W, 3]."""
    if prompt.mask is not None:
        return prompt.mask
    if prompt.box is not None:
        return mask_in_box(image, prompt.box, prompt.points)
    return mask_in_box(image, _reach_of_points(image, prompt), prompt.points, loose=True)


def _reach_of_points(image: RGB, prompt: Prompt) -> Box:
    reach = _POINT_REACH * max(image.shape[:2])
    xs = [x for x, _, positive in prompt.points if positive]
    ys = [y for _, y, positive in prompt.points if positive]
    return min(xs) - reach, min(ys) - reach, max(xs) + reach, max(ys) + reach


def mask_in_box(image: RGB, box: Box, points: tuple[tuple[float, float, bool], ...] = (), loose: bool = False) -> Mask:
    """The object in a box: colours that are common in its middle and rare around it, settled by a graph cut.

    A `loose` box only says how far the object may reach from its middle; it may be much smaller.

    Where the cut does not reach out to the box, the colours do not separate, and the ellipse in the box stands in: a
    box is a promise that the object touches all its sides (Lempitsky et al., ICCV 2009).
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (round(v) for v in box)
    frame = np.zeros((height, width), np.bool_)
    frame[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = True
    if not frame.any():
        return frame
    rows, columns = crop_around(frame, _CONTEXT)
    inside = frame[rows, columns]
    part = np.ascontiguousarray(image[rows, columns])
    probability = _by_colour(
        part, inside, _centre_prior(box, rows, columns, inside, _FALL_OFF_LOOSE if loose else _FALL_OFF)
    )
    trimap = np.where(probability > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    trimap[probability > _SURE] = cv2.GC_FGD
    trimap[~inside] = cv2.GC_BGD
    trimap = trimap.astype(np.uint8)
    for x, y, positive in points:
        centre = (int(x) - columns.start, int(y) - rows.start)
        cv2.circle(trimap, centre, 3, cv2.GC_FGD if positive else cv2.GC_BGD, -1)
    cut = grab_cut(part, trimap, 2)
    if cut is None or not (loose or _fills(cut, inside)):
        cut = _ellipse(box, rows, columns, inside)
    result = np.zeros((height, width), np.bool_)
    result[rows, columns] = cut
    return result


def _fills(cut: Mask, inside: Mask) -> bool:
    box, promised = mask_box(cut), mask_box(inside)
    if box is None or promised is None or np.count_nonzero(cut) <= _MIN_SHARE_OF_BOX * np.count_nonzero(inside):
        return False
    return bool(iou_matrix([box], [promised])[0, 0] >= _MIN_BOX_IOU)


def _radius2(box: Box, rows: slice, columns: slice) -> npt.NDArray[np.float64]:
    # Squared distance from the box's centre, 1 at the middle of each side.
    x0, y0, x1, y1 = box
    y, x = np.mgrid[rows, columns] + 0.5
    across = (x - (x0 + x1) / 2) / max((x1 - x0) / 2, 0.5)
    down = (y - (y0 + y1) / 2) / max((y1 - y0) / 2, 0.5)
    return np.asarray(across**2 + down**2, np.float64)


def _ellipse(box: Box, rows: slice, columns: slice, inside: Mask) -> Mask:
    return np.asarray((_radius2(box, rows, columns) <= 1) & inside, np.bool_)


def _centre_prior(box: Box, rows: slice, columns: slice, inside: Mask, fall_off: float) -> Floats:
    prior = 0.9 * np.exp(-fall_off * _radius2(box, rows, columns)) + 0.05
    return np.where(inside, prior, 0.001).astype(np.float32)


def _by_colour(image: RGB, inside: Mask, prior: Floats) -> Floats:
    bins = colour_bins(image)
    guide = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) / 255, np.float32)
    # What lies in the box but not on the object looks like background too, though less surely.
    trust = np.where(inside, 0.5, 1.0).astype(np.float32)
    probability = np.where(inside, prior, 0).astype(np.float32)
    for _ in range(_COLOUR_ROUNDS):
        foreground = histogram(bins, probability)
        background = histogram(bins, (1 - probability) * trust)
        logits = np.log(prior / (1 - prior)) + 0.6 * log_ratio(bins, foreground, background, 12.0)
        smooth = guided_filter(guide, sigmoid(np.asarray(logits, np.float32)), 4, 1e-3)
        probability = np.where(inside, np.clip(smooth, 0, 1), 0).astype(np.float32)
    return probability
