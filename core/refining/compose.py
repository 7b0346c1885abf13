"""Matched masks put together into one map, so that nothing labelled is lost and nothing spreads far."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from core.masks import Mask
from core.masks.contingency import Contingency, Labels
from core.masks.region import Region
from core.refining.evidence import Numbers, evidence
from core.refining.matching import Match
from core.video.frames import RGB


@dataclass(frozen=True, eq=False)
class Composed:
    """A refined map.

    Attributes:
        number: intp [H, W], positions in the ids of `Labels`, their count for background.
        covered: bool [H, W]: under a matched mask of any id.
        borne_out: share of the pixels that masks would have changed whose colours agree with the change.
    """

    number: Numbers
    covered: Mask
    borne_out: float


def compose(
    image: RGB,
    masks: Sequence[Region],
    labels: Labels,
    overlaps: Contingency,
    matches: Sequence[Match],
    max_spread: int,
    min_evidence: float,
) -> Composed:
    """Give each pixel to the surest mask that claims it; the others keep their id.

    - A mask claims pixels for its id no farther than `max_spread` pixels from the id's own.
    - Where masks of several ids overlap, the one that lies most purely on its id wins; of equal ones the smaller.
    - What one mask takes from one id, or from the background, is given back as a whole where its colours, on average,
      do not fit the new id better than the old by `min_evidence` (see `evidence`). Only background that is a
      gap of up to `max_spread`, without a wider one nearby, is free to take.
    - An id that would be left without a pixel gets all of its own back.
    """
    proposed, piece = _paint(masks, labels, overlaps, matches, max_spread)
    taken = proposed != labels.number
    doubtful = _doubtful(evidence(image, labels, proposed, max_spread // 2), taken, piece, labels, min_evidence)
    number = np.where(doubtful, labels.number, proposed)
    _give_back(number, labels)
    changed, kept = np.count_nonzero(proposed != labels.number), np.count_nonzero(number != labels.number)
    return Composed(number, piece >= 0, float(kept / changed) if changed else 1.0)


def _paint(
    masks: Sequence[Region], labels: Labels, overlaps: Contingency, matches: Sequence[Match], max_spread: int
) -> tuple[Numbers, npt.NDArray[np.int32]]:
    """The map with every claim carried out, the surest last, and the mask that each pixel is from (-1: none)."""
    purity = overlaps.purity
    claims = [
        (purity[position, number], -masks[position].area, position, number)
        for number, match in enumerate(matches)
        for position in match.masks
    ]
    near = {number: _near(labels, number, max_spread) for number, match in enumerate(matches) if match.masks}
    result, piece = labels.number.copy(), np.full(labels.number.shape, -1, np.int32)
    for _, _, position, number in sorted(claims):
        mask = masks[position]
        where = mask.mask & near[number][mask.window]
        result[mask.window][where] = number
        piece[mask.window][where] = position
    return result, piece


def _near(labels: Labels, number: int, distance: int) -> Mask:
    """Pixels at most so far from an id's own [H, W]."""
    own = (labels.number == number).view(np.uint8)
    side = 2 * distance + 1
    return cv2.dilate(own, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))).view(np.bool_)


def _doubtful(
    ratio: npt.NDArray[np.float32], taken: Mask, piece: npt.NDArray[np.int32], labels: Labels, least: float
) -> Mask:
    """Pixels whose change is not borne out: judged together where one mask takes them from one id."""
    result = np.zeros(taken.shape, np.bool_)
    if taken.any():
        deals = piece[taken].astype(np.int64) * (len(labels.ids) + 1) + labels.number[taken]
        _, which = np.unique(deals, return_inverse=True)
        mean = np.bincount(which, ratio[taken]) / np.bincount(which)
        result[taken] = mean[which] < least
    return result


def _give_back(number: Numbers, labels: Labels) -> None:
    """Ids without a pixel get theirs back, which may take the last from others: until none is lost."""
    while True:
        left = np.bincount(number.ravel(), minlength=len(labels.ids) + 1)[: len(labels.ids)]
        if left.all():
            return
        lost = np.append(left == 0, False)[labels.number]
        number[lost] = labels.number[lost]
