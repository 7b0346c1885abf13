"""Signs of trouble of every object on every frame that is looked at, each from 0 (none) to 1."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from core.formats.exchange.model import SeenFrame, SeenObject, VideoResults
from core.formats.exchange.pictures import with_pictures
from core.formats.exchange.sources import Sources
from core.masks import Mask, rle
from core.masks.appearance import histogram_overlap, rgb_histogram
from core.quality import picture_signs, shape_signs
from core.quality.shape_signs import ShapeSample
from core.video.frames import RGB

LOOKS_PER_S = 10.0
_SIDE = 320  # pixels: pictures are looked at this small
# What of a sign counts as half; below are values that are common in good masks.
_AREA, _MOTION, _PIECES, _FLOW, _APPEARANCE = 0.35, 0.25, 0.15, 0.4, 0.4


@dataclass(frozen=True)
class Signs:
    """What speaks against an object on a frame.

    Attributes:
        source_frame, time_s, obj_id, label: which.
        name: the object's identity as text.
        signs: 0 to 1 by name: `area` (it jumps, or is unusual), `motion` (not where it was going), `score` (low),
            `pieces` (the mask is in pieces), `ragged` (a long outline for its size), `flow` (not where optical flow,
            forward or backward, carries it), `edges` (its outline lies on no edge of the picture), `appearance` (its
            colours are not those of its first frame). Each only where there are masks, pictures or scores.
    """

    source_frame: int
    time_s: float
    obj_id: int
    label: str
    name: str
    signs: Mapping[str, float]

    @property
    def mean(self) -> float:
        """Of all signs, 0..1."""
        return sum(self.signs.values()) / len(self.signs)


@dataclass
class _History:
    """What is remembered of an object."""

    places: "deque[ShapeSample]" = field(default_factory=lambda: deque(maxlen=2))
    areas: "deque[float]" = field(default_factory=shape_signs.remembered)
    colours: npt.NDArray[np.float32] | None = None
    mask: Mask | None = None


class SignTracker:
    """Looks at frame after frame and remembers what it has to."""

    def __init__(self) -> None:
        self._known: dict[int, _History] = {}
        self._image: RGB | None = None

    def cut(self) -> None:
        """The next frame begins another shot: nothing is near where it was."""
        self._image = None
        for known in self._known.values():
            known.places.clear()
            known.areas.clear()
            known.mask = None

    def of(self, frame: SeenFrame, image: RGB | None) -> Iterator[Signs]:
        """The signs of every object of a frame; the picture [h, w, 3] may be scaled down."""
        both = image is not None and self._image is not None
        flow = picture_signs.flow_between(self._image, image) if both and frame.objects else None  # type: ignore[arg-type]
        for one in frame.objects:
            known = self._known.setdefault(one.obj_id, _History())
            signs = _shape(one, frame.source_frame, known)
            if one.rle is not None and image is not None:
                signs |= _picture(one.rle, image, flow, known)
            name = one.name or str(one.obj_id)
            yield Signs(frame.source_frame, frame.time_s, one.obj_id, one.label, name, signs)
        gone = set(self._known) - {one.obj_id for one in frame.objects}
        for obj_id in gone:
            self._known[obj_id].mask = None
        self._image = image


def look_through(
    video: VideoResults, sources: Sources | None, watch: Callable[[int], None] = lambda _: None
) -> Iterator[Signs]:
    """Look through a video, at most ten frames a second; memory does not grow with its length.

    Args:
        video: what was found in it.
        sources: where its pictures are; None: judge by shapes and scores alone.
        watch: gets each source frame that was examined.

    Raises:
        BadResults: results or pictures cannot be read.
    """
    tracker, cuts = SignTracker(), deque(sorted(video.cuts))
    for frame, image in with_pictures(video.with_frames(lambda: _thinned(video)), sources, _SIDE):
        while cuts and cuts[0] <= frame.source_frame:
            cuts.popleft()
            tracker.cut()
        yield from tracker.of(frame, image)
        watch(frame.source_frame)


def _thinned(video: VideoResults) -> Iterator[SeenFrame]:
    last_s = -1.0
    for frame in video.read():
        if frame.time_s - last_s >= 0.999 / LOOKS_PER_S:
            last_s = frame.time_s
            yield frame


def _shape(one: SeenObject, frame: int, known: _History) -> dict[str, float]:
    mask = None if one.rle is None else rle.decode(one.rle)
    now = _place(one, mask, frame)
    jump = shape_signs.area_change(known.places[-1], now) if known.places else 0.0
    signs = {"area": _share(max(jump, shape_signs.odd_area(known.areas, now)), _AREA)}
    if len(known.places) == 2:
        earlier, before = known.places
        signs["motion"] = _share(shape_signs.unsteady_motion(earlier, before, now), _MOTION)
    else:
        signs["motion"] = 0.0
    if one.score is not None:
        signs["score"] = 1 - min(1.0, max(0.0, one.score))
    if mask is not None:
        signs["pieces"] = _share(shape_signs.in_pieces(mask), _PIECES)
        signs["ragged"] = shape_signs.ragged(mask)
    known.places.append(now)
    known.areas.append(now.area)
    return signs


def _place(one: SeenObject, mask: Mask | None, frame: int) -> ShapeSample:
    if mask is not None:
        m = cv2.moments(mask.view(np.uint8), binaryImage=True)
        if m["m00"] > 0:
            return ShapeSample(frame, (m["m10"] / m["m00"], m["m01"] / m["m00"]), m["m00"])
    x0, y0, x1, y1 = one.box_xyxy
    return ShapeSample(frame, ((x0 + x1) / 2, (y0 + y1) / 2), (x1 - x0) * (y1 - y0))


def _picture(mask: rle.RLE, image: RGB, flow: picture_signs.FlowPair | None, known: _History) -> dict[str, float]:
    size = image.shape[1::-1]
    small = cv2.resize(rle.decode(mask).view(np.uint8), size, interpolation=cv2.INTER_NEAREST).view(np.bool_)
    colours = rgb_histogram(image, small)
    if known.colours is None:
        known.colours = colours
    signs = {
        "edges": picture_signs.off_edges(image, small),
        "appearance": _share(1 - histogram_overlap(known.colours, colours), _APPEARANCE),
        "flow": 0.0,
    }
    if known.mask is not None and flow is not None:
        signs["flow"] = _share(picture_signs.disagreement(known.mask, small, flow), _FLOW)
    known.mask = small
    return signs


def _share(value: float, half: float) -> float:
    """0 for nothing, 0.5 for `half`, towards 1 for ever more."""
    return value / (value + half)
