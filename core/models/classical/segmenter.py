"""The built-in video segmenter: each object's mask is carried by dense motion, then set right by what its pixels
look like and how they move. It needs no weights; its accuracy is in `benchmarks/README.md`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from core.errors import UnsafeFile
from core.masks import Mask
from core.masks.appearance import histogram_overlap
from core.masks.boxes import iou_matrix, mask_box
from core.models.classical.colour import Bins, Floats, colour_bins, histogram, log_ratio, separability
from core.models.classical.filters import crop_around, grab_cut, guided_filter, sigmoid
from core.models.classical.motion import Grey, Motion, MotionEstimator
from core.models.classical.prompted import prompted_mask
from core.models.classical.searching import Sought, cut_off, find_again, thirds
from core.models.session_file import SessionInfo, read_session, write_session
from core.prompts import Prompt, TrackedMask, scaled
from core.video.frames import RGB

_WORKING_SIDE = 480
_MIN_PIXELS = 15  # at working size; below it an object is gone
_ANCHOR = 0.5  # weight of the colours seen when the object was prompted, against those of late
_ADAPT = 0.05  # how fast the colours of late follow
_COLOUR_WEIGHT, _COLOUR_LIMIT = 0.8, 3.0
_SEPARABILITY_POWER = 16  # colour counts up to twice where it separates almost perfectly; flow drags along what an
# object that moves fast uncovers, and colour alone can separate
_MOTION_WEIGHT, _MOTION_LIMIT = 0.7, 2.0
_EDGE_SOFTNESS = 0.15  # of the object's size: how far its outline may move beside the flow in one frame
_OVERRATED = 0.25
_FROM_BOX = 0.65  # mean IoU of a mask made from a box
_DOUBT = (0.25, 0.75)  # probabilities between these are settled by the graph cut …
_CUT_MARGIN = 0.1  # … which sees this much around them, as a share of their box


_KNOWN = 0.8  # overlap with its colours under which a mask is no evidence of what the object looks like …
_STRANGE = 0.65  # … and from which down it is not the object
_HOPELESS = 5  # frames in a row that are strange, after which an object is searched for anew
_LEFT = 0.5  # of its size in sight at the border of the picture, of what looks no more like the object than …
_LEFT_OVER = 0.85  # … this: it has left
_STILL_ALIKE = 0.7  # mean overlap of the colours of its thirds under which what was found again was another object
_SAME_SHARE = 0.6
_PART = 0.5  # of the smaller one shared, from which on objects are parts of each other
_FULL_SIZE_KEPT = 0.98  # a frame: what goes out of sight keeps its size for a while

_NAME = "classical 5"
_STATE = ("probability", "anchor_inside", "anchor_outside", "recent_inside", "recent_outside", "thirds", "scene")


class _ObjectInfo(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    strange: int
    size: tuple[float, float, float]
    gone: bool
    found_again: bool


class _Info(SessionInfo):
    shape: tuple[int, int]
    objects: dict[int, _ObjectInfo]


@dataclass
class _Object:
    """What is known of an object.

    Attributes:
        probability: of each pixel [H, W], at working size.
        anchor: colours of object and surroundings when it was prompted.
        recent: likewise of late.
        thirds: colours of its upper, middle and lower third, of late.
        scene: colours of the whole picture when it went out of sight, and since.
        strange: frames in a row on which its mask does not look like it.
        size: width, height and pixels of its mask when it was last seen well.
        gone: it is out of sight, and searched for.
        found_again: it was, since it was last prompted.
    """

    probability: Floats
    anchor: tuple[Floats, Floats]
    recent: tuple[Floats, Floats]
    thirds: Floats
    scene: Floats
    strange: int = 0
    size: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gone: bool = False
    found_again: bool = False


class ClassicalSegmenter:
    """Implements `VideoSegmenter`."""

    def start(self) -> "ClassicalSession":
        """A session for one video."""
        return ClassicalSession()

    def restore(self, path: Path) -> "ClassicalSession":
        """See `VideoSegmenter.restore`."""
        info, arrays = read_session(path, _Info, _NAME, "np")
        session = ClassicalSession()
        try:
            session._look_at(arrays["image"])
            session._shape = info.shape
            for obj_id, known in info.objects.items():
                probability, *colours, of_thirds, scene = (arrays[f"{obj_id}/{name}"] for name in _STATE)
                anchor, recent = (colours[0], colours[1]), (colours[2], colours[3])
                session._objects[obj_id] = _Object(probability, anchor, recent, of_thirds, scene, **known.model_dump())
        except KeyError as error:
            raise UnsafeFile(f"{path}: {error} is missing") from None
        return session


class ClassicalSession:
    """Implements `SegmenterSession`. Keeps the last frame and each object's present state, nothing older."""

    patience_s = 0.0  # a mask that is gone stays gone

    def __init__(self) -> None:
        self._estimator = MotionEstimator()
        self._objects: dict[int, _Object] = {}
        self._shape = (0, 0)
        self._image: RGB | None = None
        self._grey: Grey = np.zeros((0, 0), np.uint8)
        self._bins: Bins = np.zeros((0, 0), np.int32)

    def advance(self, image: RGB, upcoming: RGB | None = None) -> dict[int, TrackedMask]:  # noqa: ARG002 - no use for it
        """See `SegmenterSession.advance`."""
        last = self._grey
        self._look_at(image)
        if not self._objects:
            return {}
        occupied = np.zeros(self._grey.shape, np.bool_)
        for tracked in self._objects.values():
            occupied |= tracked.probability > 0.3
        motion = self._estimator.between(last, self._grey, occupied)
        carried = {obj_id: motion.warp(one.probability) for obj_id, one in self._objects.items() if not one.gone}
        held = {obj_id: one > 0.5 for obj_id, one in carried.items()}
        found = {
            obj_id: self._follow(self._objects[obj_id], motion, one, _held_by_others(held, obj_id))
            for obj_id, one in carried.items()
        }
        taken = np.zeros(self._grey.shape, np.bool_)
        for one in self._objects.values():
            taken |= one.probability > 0.5
        return {obj_id: found.get(obj_id) or self._search(one, taken) for obj_id, one in self._objects.items()}

    def add(self, obj_id: int, prompt: Prompt) -> TrackedMask:
        """See `SegmenterSession.add`."""
        if self._image is None:
            raise RuntimeError("add() needs a frame: call advance() first")
        height, width = self._grey.shape
        mask = prompted_mask(self._image, scaled(prompt, self._shape[::-1], (width, height)))
        probability = mask.astype(np.float32)
        colours = self._colours(probability)
        self._objects[obj_id] = _Object(
            probability, colours, colours, thirds(self._bins, mask), np.zeros(0, np.float32), size=_size(mask)
        )
        for other in self._objects.values():  # what looks like the other was this one
            there = other.probability > 0.5
            if other.found_again and np.count_nonzero(there & mask) > _SAME_SHARE * np.count_nonzero(there):
                self._lose(other)
        if prompt.mask is not None:
            return TrackedMask(prompt.mask, 1.0)
        return TrackedMask(self._full_size(probability), _FROM_BOX)

    def drop(self, obj_id: int) -> None:
        """See `SegmenterSession.drop`."""
        self._objects.pop(obj_id, None)

    def cut(self) -> None:
        """See `SegmenterSession.cut`."""
        for one in self._objects.values():
            if not one.gone:
                self._lose(one)

    def save(self, path: Path) -> None:
        """See `SegmenterSession.save`."""
        if self._image is None:
            raise RuntimeError("there is nothing to save before the first frame")
        arrays: dict[str, npt.NDArray[Any]] = {"image": self._image}
        for obj_id, one in self._objects.items():
            state = (one.probability, *one.anchor, *one.recent, one.thirds, one.scene)
            arrays |= {f"{obj_id}/{name}": np.ascontiguousarray(a) for name, a in zip(_STATE, state, strict=True)}
        known = {
            obj_id: _ObjectInfo(strange=one.strange, size=one.size, gone=one.gone, found_again=one.found_again)
            for obj_id, one in self._objects.items()
        }
        write_session(path, _Info(model=_NAME, shape=self._shape, objects=known), arrays, "np")

    def _look_at(self, image: RGB) -> None:
        self._shape = (image.shape[0], image.shape[1])
        scale = min(1.0, _WORKING_SIDE / max(self._shape))
        if scale < 1:
            image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        self._image = image
        self._grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        self._bins = colour_bins(image)

    def _full_size(self, probability: Floats) -> Mask:
        size = (self._shape[1], self._shape[0])
        return np.asarray(cv2.resize(probability, size, interpolation=cv2.INTER_LINEAR) > 0.5, np.bool_)

    def _colours(self, probability: Floats) -> tuple[Floats, Floats]:
        """Colour histograms of the object and of what surrounds it within half its size."""
        reach = max(8, round(0.5 * float(np.sqrt(max(1.0, float(probability.sum()))))))
        certain = (probability > 0.5).astype(np.uint8)
        near = cv2.dilate(certain, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
        inside = np.clip(2 * probability - 1, 0, 1)
        outside = np.clip(1 - 2 * probability, 0, 1) * near
        return histogram(self._bins, inside), histogram(self._bins, outside)

    def _follow(self, tracked: _Object, motion: Motion, carried: Floats, taken: Mask | None) -> TrackedMask:
        mask = carried > 0.5
        if np.count_nonzero(mask) < _MIN_PIXELS:
            return self._lose(tracked)
        region = crop_around(mask, 1.0)
        part = self._reconsider(tracked, mask[region], motion.own[region], self._bins[region], region)
        probability = np.zeros_like(carried)
        probability[region] = part
        if taken is not None:
            probability[taken & ~mask] = 0
        tracked.probability = probability
        foreground, background = self._colours(probability)
        likeness = max(histogram_overlap(foreground, known) for known in (tracked.anchor[0], tracked.recent[0]))
        seen = probability > 0.5
        tracked.strange = tracked.strange + 1 if likeness < _STRANGE else 0
        if tracked.strange >= _HOPELESS or (likeness < _LEFT_OVER and cut_off(seen, _LEFT * tracked.size[2])):
            return self._lose(tracked)
        of_thirds = thirds(self._bins, seen)
        if tracked.found_again and histogram_overlap(of_thirds, tracked.thirds) / 3 < _STILL_ALIKE:
            return self._lose(tracked)
        if likeness >= _KNOWN and not tracked.found_again:  # else it would become whatever it was taken for
            width, height, pixels = _size(seen)
            kept = tuple(_FULL_SIZE_KEPT * side for side in tracked.size)
            tracked.size = (max(kept[0], width), max(kept[1], height), max(kept[2], pixels))
            tracked.recent = (
                (1 - _ADAPT) * tracked.recent[0] + _ADAPT * foreground,
                (1 - _ADAPT) * tracked.recent[1] + _ADAPT * background,
            )
            tracked.thirds = (1 - _ADAPT) * tracked.thirds + _ADAPT * of_thirds
        trust = min(1.0, max(0.0, (likeness - _STRANGE) / (_LEFT_OVER - _STRANGE)))
        return TrackedMask(self._full_size(probability), trust * _expected_iou(carried, probability))

    def _lose(self, tracked: _Object) -> TrackedMask:
        """It is out of sight: search for it from here on."""
        tracked.probability = np.zeros_like(tracked.probability)
        tracked.gone, tracked.strange = True, 0
        tracked.scene = self._scene()
        return TrackedMask(np.zeros(self._shape, np.bool_), 0.0)

    def _scene(self) -> Floats:
        """Colours of the whole picture."""
        return histogram(self._bins, np.ones(self._bins.shape, np.float32))

    def _search(self, tracked: _Object, taken: Mask) -> TrackedMask:
        image = self._image
        assert image is not None
        colours = _ANCHOR * tracked.anchor[0] + (1 - _ANCHOR) * tracked.recent[0]
        mask = find_again(image, self._bins, Sought(colours, tracked.thirds, tracked.scene, *tracked.size), taken)
        if mask is None:
            tracked.scene = (1 - _ADAPT) * tracked.scene + _ADAPT * self._scene()
            return TrackedMask(np.zeros(self._shape, np.bool_), 0.0)
        tracked.probability, tracked.gone, tracked.found_again = mask.astype(np.float32), False, True
        tracked.size = _size(mask)
        taken |= mask
        return TrackedMask(self._full_size(tracked.probability), _FROM_BOX)

    def _reconsider(self, tracked: _Object, mask: Mask, own: Floats, bins: Bins, region: tuple[slice, slice]) -> Floats:
        """Probability of each pixel near the carried mask, from place, colour and motion together."""
        image = self._image
        assert image is not None
        size = float(np.sqrt(np.count_nonzero(mask)))
        pixels = mask.view(np.uint8)
        inward = cv2.distanceTransform(pixels, cv2.DIST_L2, 3) - cv2.distanceTransform(1 - pixels, cv2.DIST_L2, 3)
        place = np.clip(inward / max(1.5, _EDGE_SOFTNESS * size), -8, 8)
        foreground = _ANCHOR * tracked.anchor[0] + (1 - _ANCHOR) * tracked.recent[0]
        background = _ANCHOR * tracked.anchor[1] + (1 - _ANCHOR) * tracked.recent[1]
        colour = log_ratio(bins, foreground, background, _COLOUR_LIMIT)
        weight = _COLOUR_WEIGHT * (1 + separability(foreground, background) ** _SEPARABILITY_POWER)
        logits = place + weight * colour + _MOTION_WEIGHT * _motion_ratio(own, mask, size)
        guide = np.asarray(self._grey[region] / 255, np.float32)
        probability = np.clip(guided_filter(guide, sigmoid(np.asarray(logits, np.float32)), 2, 1e-3), 0, 1)
        probability = _connected_to(np.asarray(probability, np.float32), mask)
        return _settle(image[region], probability)


def _held_by_others(held: Mapping[int, Mask], obj_id: int) -> Mask | None:
    """What other objects held before: no new pixels are taken from them. Parts of each other share."""
    own = held[obj_id]
    taken = None
    own_box = mask_box(own)
    for other, mask in held.items():
        box = None if other == obj_id else mask_box(mask)
        if own_box is None or box is None or iou_matrix([own_box], [box])[0, 0] == 0:
            continue  # far from each other: there is nothing to take
        shared = np.count_nonzero(own & mask)
        if shared < _PART * min(np.count_nonzero(own), np.count_nonzero(mask)):
            taken = mask if taken is None else taken | mask
    return taken


def _size(mask: Mask) -> tuple[float, float, float]:
    """Width and height of a mask's box, and its pixels."""
    _, _, width, height = cv2.boundingRect(mask.view(np.uint8))
    return float(width), float(height), float(np.count_nonzero(mask))


def _motion_ratio(own: Floats, mask: Mask, size: float) -> Floats:
    """Log ratio of each pixel's own motion being the object's rather than its surroundings', [H, W].

    Both distributions are learnt from the present frame: from the mask's core and from the ring around it.
    Motion is binned by the logarithm of its components, so that small differences count and large ones fit.
    """
    steps = np.clip(np.rint(np.sign(own) * np.log1p(np.abs(own) / 0.7) * 2.2), -7, 7).astype(np.int32) + 7
    bins = steps[..., 0] * 15 + steps[..., 1]
    pixels = mask.view(np.uint8)
    edge = np.ones((2 * max(1, round(0.06 * size)) + 1,) * 2, np.uint8)
    reach = np.ones((2 * max(6, round(0.5 * size)) + 1,) * 2, np.uint8)
    core = cv2.erode(pixels, edge) > 0
    ring = (cv2.dilate(pixels, reach) > 0) & (cv2.dilate(pixels, edge) == 0)
    if np.count_nonzero(core) < 20:
        core = mask

    def distribution(where: Mask) -> Floats:
        counts = np.bincount(bins[where], minlength=225).astype(np.float32).reshape(15, 15)
        counts = np.asarray(cv2.GaussianBlur(counts, (3, 3), 0.7), np.float32)
        return np.asarray((counts.ravel() + 0.5) / (counts.sum() + 112.5), np.float32)

    ratio = np.clip(np.log(distribution(core) / distribution(ring)), -_MOTION_LIMIT, _MOTION_LIMIT)
    return np.asarray(cv2.boxFilter(ratio[bins], -1, (5, 5)), np.float32)


def _connected_to(probability: Floats, carried: Mask) -> Floats:
    """Drop components that are mostly new, or next to nothing beside the largest."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((probability > 0.5).astype(np.uint8))
    if count <= 2:
        return probability
    areas = stats[:, cv2.CC_STAT_AREA]
    shared = np.bincount(labels[carried], minlength=count)
    dropped = (shared < 0.2 * areas) | (areas < 0.02 * areas[1:].max())
    dropped[0] = False
    return np.where(dropped[labels], np.float32(0), probability)


def _settle(image: RGB, probability: Floats) -> Floats:
    """Decide what is in doubt by a graph cut, on the part of the picture that holds it."""
    low, high = _DOUBT
    certain = probability > high
    doubtful = (probability > low) & ~certain
    if np.count_nonzero(certain) < 20 or not doubtful.any():
        return probability
    region = crop_around(doubtful, _CUT_MARGIN)
    near = probability[region]
    trimap = np.full(near.shape, cv2.GC_BGD, np.uint8)
    trimap[near > low] = cv2.GC_PR_BGD
    trimap[near > 0.5] = cv2.GC_PR_FGD
    trimap[near > high] = cv2.GC_FGD
    cut = grab_cut(image[region], trimap, 1)
    if cut is None:
        return probability
    settled = certain.astype(np.float32)
    settled[region] = cut
    return np.asarray(cv2.GaussianBlur(settled, (3, 3), 0), np.float32)


def _expected_iou(carried: Floats, probability: Floats) -> float:
    """The IoU with the true mask that can be expected, from the soft IoU of what motion predicts and pixels confirm.

    On real video the one is the other less 0.25, over its whole range (`benchmarks.reliability`).
    """
    union = float(np.maximum(carried, probability).sum())
    agreement = float(np.minimum(carried, probability).sum()) / union if union else 0.0
    return max(0.0, agreement - _OVERRATED)
