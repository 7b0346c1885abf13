"""The work of one item: follow one window's objects in one direction. Runs in a device worker."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from core.formats.window_shard import (
    ARRIVALS_FILE,
    ROWS_FILE,
    Facts,
    ShardRow,
    read_facts,
    write_facts,
    write_lines,
)
from core.item import Record, item
from core.long_video.follow import Follower
from core.long_video.plan import Direction, Followed, Window, frames_to_follow
from core.memory import PeakMemory, release_free
from core.models.registry import DETECTORS, SEGMENTERS
from core.models.spec import ModelSpec
from core.progress import Progress
from core.tracking.loop import with_next
from core.tracking.tracker import Tracker
from core.tracking.tracker_state import restore_tracker, save_tracker
from core.video.backward import read_backward
from core.video.frames import Frame, FrameSource
from core.video.index import FrameIndex, load_index
from core.video.source import open_video, read_ahead


class FollowRequest(BaseModel):
    """What to follow in one window, and how.

    Attributes:
        index: folder of the video's index.
        first, end: the window, in source frames.
        max_side: frames are scaled down to it while they are decoded.
        also: source frames that are wanted whether or not they lie on the grid.
        before: folder of the window before (in the direction of time), whose state is taken over.
        last: there is no window after this.
        detect_every: detect on every so many processed frames.
        max_objects: most at once; beyond, detections start none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    video: Path
    index: Path
    direction: Direction
    first: int = Field(ge=0)
    end: int
    interval: int = Field(ge=1)
    max_side: int = Field(ge=1)
    objects: list[Followed] = Field(default_factory=list)
    also: list[int] = Field(default_factory=list)
    before: Path | None = None
    last: bool = False
    segmenter: ModelSpec
    detector: ModelSpec | None = None
    text_prompt: str | None = None
    detect_every: int = Field(default=1, ge=1)
    max_objects: int | None = Field(default=None, ge=1)

    def frames(self) -> list[int]:
        """Source frames to process, ascending."""
        if self.detector is not None:
            return list(range(-(-self.first // self.interval) * self.interval, self.end, self.interval))
        return frames_to_follow(Window(0, self.first, self.end), self.interval, self.objects, self.also)


@item(FollowRequest)
def follow_window(request: FollowRequest, folder: Path, report: Progress) -> Record:
    """Follow one window; leaves its shard and, for the next window, the tracker's state in `folder`.

    Returns:
        frames, objects, seconds, and MiB of memory before, at the peak and after.

    Raises:
        BadMedia: the video cannot be read here; the message says why.
        UnsafeFile: the state of the window before is damaged.
    """
    release_free()
    memory = PeakMemory()
    index, wanted = load_index(request.index), request.frames()
    before = Facts() if request.before is None else read_facts(request.before)
    tracker = _tracker(request)
    seen: set[int] = set()

    done = 0

    def watched(rows: Iterator[ShardRow]) -> Iterator[ShardRow]:
        nonlocal done
        for done, row in enumerate(rows, 1):
            seen.update(one.obj_id for one in row.objects)
            memory.sample()
            report(done, len(wanted))
            yield row

    with open_video(request.video, lambda: report(done, len(wanted))) as source:
        follower = Follower(tracker, request.objects, before, (source.info.width, source.info.height))
        with _frames(source, index, wanted, request) as frames:
            write_lines(folder / ROWS_FILE, watched(follower.rows(with_next(frames))))
    if request.last:
        tracker.finish()
    write_lines(folder / ARRIVALS_FILE, follower.arrivals)
    write_facts(folder, follower.facts())
    save_tracker(tracker, folder)
    return {
        "frames": len(wanted),
        "objects": len(seen),
        "memory": memory.record(),
    }


def _tracker(request: FollowRequest) -> Tracker:
    segmenter = SEGMENTERS.load(request.segmenter)
    detector = None if request.detector is None else DETECTORS.load(request.detector).start(request.text_prompt or "")
    if request.before is not None:
        return restore_tracker(request.before, segmenter, detector, request.detect_every, request.max_objects)
    return Tracker(segmenter.start(), detector, request.detect_every, request.max_objects)


def _frames(
    source: FrameSource, index: FrameIndex, wanted: list[int], request: FollowRequest
) -> AbstractContextManager[Iterator[Frame]]:
    if request.direction == "backward":
        return read_backward(source, index, wanted, request.max_side)
    return read_ahead(source.frames_at(index, wanted, request.max_side))
