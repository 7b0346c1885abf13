"""The neutral model every format is read into and written from: videos, their frames, the objects in them.

Frames come one at a time, as often as they are iterated, so that an hour of video never stands in memory.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from core.errors import MaskflowError
from core.masks import Box
from core.masks.rle import RLE
from core.video.frame_names import Origin
from core.video.limits import MAX_FRAMES, MAX_PIXELS
from core.video.video_paths import Parts, path_parts

_MAX_FPS = 100_000

OBJECT = "object"
"""The label of what has none."""


class BadResults(MaskflowError):
    """A file of results or annotations cannot be read; the message says where and why."""


@dataclass(frozen=True, slots=True)
class SeenObject:
    """An object on one frame.

    Attributes:
        obj_id: 1 or more; the same object has the same one over the whole video.
        label: what it is; never empty.
        box_xyxy: pixels of the source, upper edges exclusive.
        score: how sure the mask or box is, 0..1; None where unknown.
        rle: its mask, COCO RLE of the whole picture.
        detection_score: how sure a detector was at first sight, 0..1.
        name: its identity as text, where the source names it so.
    """

    obj_id: int
    label: str
    box_xyxy: Box
    score: float | None = None
    rle: RLE | None = None
    detection_score: float | None = None
    name: str | None = None


Rule = Literal["crowd", "region", "distractor", "unjudged", "void"]
"""What a mark of the truth that is not judged means for results, see `Ignored`."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A place of the truth where results are not judged. Results themselves have none.

    Attributes:
        rule: what becomes of a result there.
            *crowd* (COCO's `iscrowd`): several objects in one mark; any number of results that lie in it are left out.
            *region* (MOTS' class 10): results without an object of the truth, more than half in it, are left out.
            *distractor* (MOT17): an object that is not judged; neither is the one result that is matched with it.
            *unjudged* (MOT's flag 0): an object that is not judged; a result matched with it is a false one.
            *void* (DAVIS' 255): pixels that count for nobody.
        label: never empty.
        box_xyxy: as in `SeenObject`.
        rle: its mask, COCO RLE of the whole picture.
        obj_id: its id in the source; 0 where it has none.
    """

    rule: Rule
    label: str
    box_xyxy: Box
    rle: RLE | None = None
    obj_id: int = 0


@dataclass(frozen=True, slots=True)
class SeenFrame:
    """A frame that was looked at, also where nothing was found; no two objects of one id.

    Attributes:
        source_frame: 0-based, in presentation order in the source.
        time_s: when it is shown.
        objects: in the order in which the source has them.
        ignored: what is not judged here.
    """

    source_frame: int
    time_s: float
    objects: tuple[SeenObject, ...] = ()
    ignored: tuple[Ignored, ...] = ()


@dataclass(frozen=True, eq=False)
class VideoResults:
    """What is known of one video.

    Attributes:
        name: for files and people; no two of one set have the same.
        width, height: of the source, in pixels.
        fps: frames a second of the source; where unknown, that of image folders.
        read: gives the frames from the first on, ascending, each time it is called. Raises `BadResults`.
        length: frames of the source, where that is known.
        path: the source itself, as the results name it.
        text_prompt: what was searched for.
        process_fps: frames a second that were processed; None: unknown.
        tracked: whether ids mean the same object from frame to frame.
        complete: whether `read` gives every frame that was looked at; else those on which nothing was found may lack.
        place: its name with the folders it stood in, outermost first, where there is no path.
        by_number: whether frames are given by numbers in names or rows; then `origin` is that of the first frame, 0 or
            1, as far as it is certain or likely.
        cuts: source frames with which another shot begins, as far as is known.

    Raises:
        BadResults: sizes, rate or length are not what a video can have.
    """

    name: str
    width: int
    height: int
    fps: float
    read: Callable[[], Iterator[SeenFrame]]
    length: int | None = None
    path: str | None = None
    text_prompt: str | None = None
    process_fps: float | None = None
    tracked: bool = True
    complete: bool = True
    place: Parts = ()
    by_number: bool = False
    origin: Origin | None = None
    cuts: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        for what, value, least, most in (
            ("width", self.width, 1, MAX_PIXELS), ("height", self.height, 1, MAX_PIXELS),
            ("length", self.length, 0, MAX_FRAMES),
        ):  # fmt: skip
            if value is not None and (type(value) is not int or not least <= value <= most):
                raise BadResults(f"{self.name}: {what} is a whole number from {least} to {most:,}, not {value!r}")
        if self.width * self.height > MAX_PIXELS:
            raise BadResults(f"{self.name}: {self.width}x{self.height} pixels, more than the {MAX_PIXELS:,} accepted")
        for what, rate in (("fps", self.fps), ("process_fps", self.process_fps)):
            good = isinstance(rate, int | float) and math.isfinite(rate) and 0 < rate <= _MAX_FPS
            if rate is not None and not good:
                raise BadResults(f"{self.name}: {what} is a number above 0, not {rate!r}")
        if self.path is not None and not isinstance(self.path, str):
            raise BadResults(f"{self.name}: its path is text, not {self.path!r}")

    @property
    def parts(self) -> Parts:
        """Its path, or its name with the folders it stood in: what it is paired with others by."""
        return path_parts(self.path) if self.path else self.place or (self.name,)

    def with_frames(self, read: Callable[[], Iterator[SeenFrame]], name: str | None = None) -> "VideoResults":
        """The same video with other frames."""
        return replace(self, read=read, name=name or self.name)


@dataclass(frozen=True)
class Track:
    """One object of a video: what it is called on its first frame, and the number of frames it is on."""

    label: str
    frames: int


@dataclass(frozen=True)
class Census:
    """What one pass over a video's frames finds: writers have to know it before they begin.

    Attributes:
        frames: number of frames looked at.
        first, last: source frames; 0 where there is none.
        step: distance of frames looked at, where it is always the same; else 1.
        tracks: by id, in the order of first sight.
        labels: all of them, those of what is not judged too, sorted.
        masks: whether every object has a mask (and there is one).
        marks: rules of what is not judged, and how many there are of each.
    """

    frames: int
    first: int
    last: int
    step: int
    tracks: dict[int, Track]
    labels: Sequence[str]
    masks: bool
    marks: Mapping[Rule, int]


def take_census(video: VideoResults) -> Census:
    """Read all of a video once. Raises `BadResults`."""
    tracks: dict[int, Track] = {}
    labels: set[str] = set()
    steps: set[int] = set()
    frames = first = last = objects = masks = 0
    marks: Counter[Rule] = Counter()
    for frame in video.read():
        if frames:
            steps.add(frame.source_frame - last)
        else:
            first = frame.source_frame
        last = frame.source_frame
        frames += 1
        for one in frame.objects:
            known = tracks.get(one.obj_id)
            tracks[one.obj_id] = Track(one.label, 1) if known is None else replace(known, frames=known.frames + 1)
            labels.add(one.label)
            objects += 1
            masks += one.rle is not None
        marks.update(one.rule for one in frame.ignored)
        labels |= {one.label for one in frame.ignored if one.rule != "void"}
    step = steps.pop() if len(steps) == 1 else 1
    return Census(frames, first, last, max(1, step), tracks, sorted(labels), 0 < objects == masks, marks)
