"""Finding an object again that has been out of sight, by its colours alone."""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from core.masks import Mask
from core.masks.appearance import histogram_overlap
from core.models.classical.colour import Bins, Floats, histogram, log_ratio
from core.models.classical.filters import crop_around, grab_cut, guided_filter, sigmoid
from core.video.frames import RGB

_SCALES = (0.7, 1.0, 1.4)  # of the size it had: it may have come nearer, or gone away
_LIMIT = 3.0
_ENOUGH = 0.7  # of the evidence its own mask had when it was last seen well
_SURE = 0.9  # mean overlap of the colours of its thirds from which what is found is the object …
_SURE_OF_EACH = 0.75  # … where each has this at least …
_ENTERED = 0.7  # of its size that must be in sight, where it comes in through the border of the picture
_AT_BORDER = 0.08  # of an outline
_SMALLEST, _LARGEST = 0.4, 2.5  # … if it is about as large as it was …
_SLIMMER = 0.6  # … and, upright as it was, neither much slimmer nor much broader


@dataclass(frozen=True, eq=False)
class Sought:
    """An object that is out of sight.

    Attributes:
        colours: how often each colour bin [4096] is on it, summing to 1.
        thirds: likewise on its upper, middle and lower third [3, 4096].
        scene: likewise in the picture without it.
        width, height: of its box when it was last seen well, in pixels.
        pixels: of its mask then.
    """

    colours: Floats
    thirds: Floats
    scene: Floats
    width: float
    height: float
    pixels: float


def find_again(image: RGB, bins: Bins, sought: Sought, taken: Mask) -> Mask | None:
    """The mask [H, W] of an object that was out of sight, where it is beyond doubt in `image` [H, W, 3].

    The box in which its colours, weighed against those of the picture without it, are densest is settled by a graph
    cut. Pixels that are `taken` [H, W] by other objects are left out. None: it is not there, or cannot be told from
    what else is there.
    """
    if not sought.pixels:
        return None
    every_bin = np.arange(len(sought.colours), dtype=np.int32)
    by_bin = log_ratio(every_bin, sought.colours, sought.scene, _LIMIT)
    evidence = by_bin[bins]
    evidence[taken] = -_LIMIT
    own = float((sought.colours * by_bin).sum())
    filled = sought.pixels / (sought.width * sought.height)
    best, box = 0.0, None
    for scale in _SCALES:
        size = (max(3, round(sought.width * scale)), max(3, round(sought.height * scale)))
        if size[0] >= bins.shape[1] or size[1] >= bins.shape[0]:
            continue
        density = cv2.boxFilter(np.maximum(evidence, 0), -1, size, borderType=cv2.BORDER_CONSTANT)
        _, most, _, (x, y) = cv2.minMaxLoc(density)
        if most > best:
            best, box = most, (x - size[0] // 2, y - size[1] // 2, *size)
    if box is None or best < _ENOUGH * own * filled:
        return None
    mask = _settle(image, evidence, box)
    if mask is None or not _SMALLEST <= np.count_nonzero(mask) / sought.pixels <= _LARGEST:
        return None
    _, _, width, height = cv2.boundingRect(mask.view(np.uint8))
    if not _SLIMMER <= (width / height) / (sought.width / sought.height) <= 1 / _SLIMMER:
        return None
    if cut_off(mask, _ENTERED * sought.pixels):
        return None
    alike = [histogram_overlap(one, known) for one, known in zip(thirds(bins, mask), sought.thirds, strict=True)]
    return mask if np.mean(alike) >= _SURE and min(alike) >= _SURE_OF_EACH else None


def cut_off(mask: Mask, pixels: float) -> bool:
    """Whether a mask [H, W] of fewer pixels than these lies at the border of the picture."""
    if np.count_nonzero(mask) >= pixels:
        return False
    outline = mask & (cv2.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) == 0)
    at_border = sum(int(np.count_nonzero(side)) for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    return bool(at_border >= _AT_BORDER * np.count_nonzero(outline))


def thirds(bins: Bins, mask: Mask) -> Floats:
    """Colour distributions [3, 4096] of the upper, middle and lower third of what is under a mask [H, W]."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    edges = [y + height * third // 3 for third in range(4)]
    parts = (np.s_[top:bottom, x : x + width] for top, bottom in pairwise(edges))
    return np.stack([histogram(bins[part], mask[part].astype(np.float32)) for part in parts])


def _settle(image: RGB, evidence: Floats, box: tuple[int, int, int, int]) -> Mask | None:
    """The largest thing in and around a box (x, y, width, height) that the evidence speaks for."""
    x, y, width, height = box
    window = np.zeros(evidence.shape, np.bool_)
    window[max(0, y) : y + height, max(0, x) : x + width] = True
    region = crop_around(window, 0.3)
    part = image[region]
    guide = np.asarray(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY) / 255, np.float32)
    probability = guided_filter(guide, sigmoid(evidence[region]), 2, 1e-3)
    trimap = np.where(probability > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[probability > 0.9] = cv2.GC_FGD
    trimap[probability < 0.1] = cv2.GC_BGD
    cut = grab_cut(part, trimap, 1)
    if cut is None:
        return None
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cut.astype(np.uint8))
    if count < 2:
        return None
    mask = np.zeros(evidence.shape, np.bool_)
    mask[region] = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return mask
