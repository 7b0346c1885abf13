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

_DISPUTED = 0.3  # where the colours bear out less than this share of all changes, the map is probably right, and …
_SURER = 1.5  # … changes need so much more evidence, in nats a pixel, …
_GAP_EASIER = 1.0  # … and gaps, which else need none, so much less than `min_evidence`


@dataclass(frozen=True, eq=False)
class Composed:
    """A refined map.

    Attributes:
        number: intp [H, W], positions in the ids of `Labels`, their count for background.
        covered: bool [H, W]: under a matched mask of any id, no farther from the id than it may spread.
        accepted_ratio: share of the pixels that masks would have changed whose change was made; None: there were none.
    """

    number: Numbers
    covered: Mask
    accepted_ratio: float | None


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

    - A mask claims pixels for its id no farther than `max_spread` pixels from the id's own, and none of an id that no
      mask was matched with.
    - Where masks of several ids overlap, the one that lies most purely on its id wins; of equal ones the smaller.
    - What one mask takes from one id, or from the background, is given back as a whole where its colours, on average,
      do not fit the new id better than the old by `min_evidence` (see `evidence`). Only gaps within one id, up to twice
      `max_spread` wide, are filled without that.
    - Where less than 0.3 of all pixels proposed are accepted so, the map agrees with the picture better than the masks:
      changes then need 1.5 nats more, and gaps are filled only where colours speak for it, too.
    - An id that would be left without a pixel gets all of its own back.
    """
    proposed, piece = _paint(masks, labels, overlaps, matches, max_spread)
    changed = proposed != labels.number
    gaps = _gaps(labels, proposed, max_spread)
    taken, ratio = changed & ~gaps, evidence(image, labels, proposed, gaps)
    doubtful = _doubtful(ratio, taken, piece, labels, min_evidence)
    pixels = np.count_nonzero(changed)
    if np.count_nonzero(changed & ~doubtful) < _DISPUTED * pixels:
        doubtful = _doubtful(ratio, taken, piece, labels, min_evidence + _SURER)
        doubtful |= _doubtful(ratio, gaps, piece, labels, min_evidence - _GAP_EASIER)
    number = np.where(doubtful, labels.number, proposed)
    _give_back(number, labels)
    made = np.count_nonzero(number != labels.number)
    return Composed(number, piece >= 0, float(made / pixels) if pixels else None)


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
    free = np.array([bool(match.masks) for match in matches] + [True])[labels.number]
    near = {number: _near(labels, number, max_spread) for number, match in enumerate(matches) if match.masks}
    result, piece = labels.number.copy(), np.full(labels.number.shape, -1, np.int32)
    for _, _, position, number in sorted(claims):
        mask = masks[position]
        rows, columns = near[number].meet(mask)
        where = mask.within(rows, columns) & near[number].within(rows, columns) & free[rows, columns]
        result[rows, columns][where] = number
        piece[rows, columns][where] = position
    return result, piece


def _around(labels: Labels, number: int, margin: int) -> tuple[int, int, npt.NDArray[np.uint8]]:
    """Left, top, and where an id is (0 or 1) in its bounding box with a margin, as far as the picture goes."""
    own = (labels.number == number).view(np.uint8)
    x, y, width, height = cv2.boundingRect(own)
    left, top = max(0, x - margin), max(0, y - margin)
    return left, top, own[top : y + height + margin, left : x + width + margin]


def _near(labels: Labels, number: int, distance: int) -> Region:
    """Pixels at most so far from an id's own."""
    left, top, own = _around(labels, number, distance)
    away = cv2.distanceTransform(1 - own, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return Region(left, top, np.asarray(away <= distance, np.bool_))


def _gaps(labels: Labels, proposed: Numbers, reach: int) -> Mask:
    """Background pixels proposed for an id that close a gap in it, of up to twice `reach` pixels."""
    gaps = np.zeros(proposed.shape, np.bool_)
    filled = (labels.number == len(labels.ids)) & (proposed != labels.number)
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    for number in np.unique(proposed[filled]).tolist():
        left, top, own = _around(labels, number, reach)
        # Beyond the box there is nothing of the id, which a border of as many pixels makes known to OpenCV.
        padded = cv2.copyMakeBorder(own, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0)
        inner = np.s_[reach : reach + own.shape[0], reach : reach + own.shape[1]]
        closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)[inner] > 0
        window = np.s_[top : top + own.shape[0], left : left + own.shape[1]]
        gaps[window] |= closed & filled[window] & (proposed[window] == number)
    return gaps


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
