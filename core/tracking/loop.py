"""The tracking loop: frames in, one record per processed frame out, memory flat in the video's length."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict

from core.formats.tracks import FrameRecord, ObjectRecord
from core.masks import rle
from core.masks.boxes import documented_xywh
from core.prompts import ObjectPrompt, Prompt
from core.tracking.track import Track
from core.tracking.tracker import Tracker
from core.video.frames import Frame

_ENCODED_BEHIND = 2  # frames whose masks may still be being encoded while the next is tracked


class HeldFrame(BaseModel):
    """A frame that is held back: its objects under the tracker's ids, and which of them are not certain yet."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    frame: FrameRecord
    waits_for: set[int]


class LoopState(BaseModel):
    """Where the loop stands after a frame, but for the tracker: a new loop goes on from it to the same records.

    Attributes:
        next_idx: number of the next processed frame.
        source_frame: the last one that was processed.
        numbers: ids in the records, by the tracker's.
        held: frames that are not yielded yet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    next_idx: int
    source_frame: int
    numbers: dict[int, int]
    held: list[HeldFrame]


@dataclass
class _Held:
    """A tracked frame: what is known of each object, and its mask, which another thread encodes."""

    frame: FrameRecord
    objects: list[tuple[dict[str, Any], "Future[rle.RLE]"]]
    waits_for: set[int]


def track_frames(
    frames: Iterable[Frame], tracker: Tracker, prompts: Sequence[ObjectPrompt] = (), max_held: int = 60
) -> Iterator[FrameRecord]:
    """Track through `frames` with a fresh `tracker` and yield their records in order, see `TrackingLoop`."""
    return TrackingLoop(tracker, prompts, max_held).run(frames)


class TrackingLoop:
    """Tracks through the frames of a video.

    Frames are held back while an object in them is still uncertain, so that a confirmed object is recorded from its
    first frame, a rejected one nowhere, and one that turns out to be another under that one's number. Objects that were
    found are numbered from 1 in the order of first sight; objects that were prompted keep the ids they were given.
    Masks are encoded in a thread of their own.

    Args:
        tracker: fresh, or restored to where it stood at `before`.
        prompts: each is applied on its source frame, or the first processed one after it; those beyond the end are not.
            Without anything to show, it ends its object there.
        max_held: most frames held back; beyond, tentative objects are given up.
        before: where an interrupted loop stood.
    """

    def __init__(
        self,
        tracker: Tracker,
        prompts: Sequence[ObjectPrompt] = (),
        max_held: int = 60,
        before: LoopState | None = None,
    ) -> None:
        self._tracker = tracker
        self._most = max_held
        self._next_idx = 0 if before is None else before.next_idx
        self._source_frame = -1 if before is None else before.source_frame
        later = (one for one in prompts if one.source_frame > self._source_frame)
        self._waiting = deque(sorted(later, key=lambda p: p.source_frame))
        given = {one.obj_id: one.obj_id for one in prompts}
        self._numbers = _Numbers(given if before is None else dict(before.numbers))
        self._held = deque(() if before is None else map(_held_again, before.held))

    def run(self, frames: Iterable[Frame], after_frame: Callable[[], None] = lambda: None) -> Iterator[FrameRecord]:
        """Yield the records of `frames`, in presentation order, and of those held before.

        `after_frame` is called after each frame, when all records that it completes have been taken: there, and only
        there, `state` tells where the loop stands.
        """
        held, tracker = self._held, self._tracker
        behind = min(_ENCODED_BEHIND, self._most - 1)
        encoder = ThreadPoolExecutor(1, "encode-masks")
        try:
            for frame, upcoming in with_next(frames):
                tracker.step(
                    frame.image,
                    frame.time_s,
                    self._due(frame.source_frame),
                    None if upcoming is None else upcoming.image,
                    frame.begins_shot,
                )
                held.append(_hold(self._next_idx, frame, tracker, encoder))
                self._next_idx, self._source_frame = self._next_idx + 1, frame.source_frame
                while len(held) > self._most and held[0].waits_for & tracker.tentative():
                    for obj_id in sorted(held[0].waits_for & tracker.tentative()):
                        tracker.reject(obj_id)
                while len(held) > behind and not self._waits(held[0]):
                    yield self._numbers.settle(held.popleft(), tracker)
                after_frame()
            tracker.finish()
            for one_held in held:
                yield self._numbers.settle(one_held, tracker)
        finally:
            encoder.shutdown(cancel_futures=True)

    def _waits(self, first: _Held) -> bool:
        """Whether what the first of the held frames shows is still uncertain, and there is room to wait."""
        uncertain = self._tracker.unsettled() if len(self._held) <= self._most else self._tracker.tentative()
        return bool(first.waits_for & uncertain)

    def state(self) -> LoopState:
        """Where the loop stands, see `run`."""
        return LoopState(
            next_idx=self._next_idx,
            source_frame=self._source_frame,
            numbers=self._numbers.known,
            held=[_held_state(one, self._tracker.rejected) for one in self._held],
        )

    def _due(self, source_frame: int) -> dict[int, tuple[str | None, Prompt | None]]:
        due: dict[int, tuple[str | None, Prompt | None]] = {}
        while self._waiting and self._waiting[0].source_frame <= source_frame:
            one = self._waiting.popleft()
            due[one.obj_id] = (one.label, one.prompt)
        return due


def _held_state(held: _Held, rejected: Set[int]) -> HeldFrame:
    objects = [
        ObjectRecord(**known, rle=mask.result()) for known, mask in held.objects if known["obj_id"] not in rejected
    ]
    return HeldFrame(frame=held.frame.model_copy(update={"objects": objects}), waits_for=held.waits_for - rejected)


def _held_again(state: HeldFrame) -> _Held:
    objects: list[tuple[dict[str, Any], Future[rle.RLE]]] = []
    for one in state.frame.objects:
        mask: Future[rle.RLE] = Future()
        mask.set_result(one.rle)
        objects.append((one.model_dump(exclude={"rle"}), mask))
    return _Held(state.frame, objects, set(state.waits_for))


def with_next(frames: Iterable[Frame]) -> Iterator[tuple[Frame, Frame | None]]:
    """Each frame with the one after it; None after the last."""
    for frame, upcoming in pairwise(chain(frames, (None,))):
        assert frame is not None
        yield frame, upcoming


def record_of(frame_idx: int, frame: Frame, tracker: Tracker) -> FrameRecord:
    """The record of the frame that a tracker is at."""
    objects = [ObjectRecord(**_known(track), rle=rle.encode(track.mask)) for track in tracker.visible()]
    return _frame_record(frame_idx, frame, objects)


def _frame_record(frame_idx: int, frame: Frame, objects: list[ObjectRecord]) -> FrameRecord:
    return FrameRecord(
        frame_idx=frame_idx, source_frame=frame.source_frame, time_s=round(frame.time_s, 6), objects=objects
    )


def _hold(frame_idx: int, frame: Frame, tracker: Tracker, encoder: ThreadPoolExecutor) -> _Held:
    visible = tracker.visible()
    record = _frame_record(frame_idx, frame, [])
    objects = [(_known(track), encoder.submit(rle.encode, track.mask)) for track in visible]
    return _Held(record, objects, {track.obj_id for track in visible} & tracker.unsettled())


def _known(track: Track) -> dict[str, Any]:
    """Everything of an `ObjectRecord` but the mask."""
    assert track.box is not None
    x, y, width, height = documented_xywh(track.box)
    return {
        "obj_id": track.obj_id,
        "bbox": (x, y, width, height),
        "label": track.label,
        "score": round(track.score, 4),
        "detection_score": None if track.detection_score is None else round(track.detection_score, 4),
    }


class _Numbers:
    """Ids without gaps: rejected objects use none up."""

    def __init__(self, given: dict[int, int]) -> None:
        self.known = given
        self._last = max(given.values(), default=0)

    def settle(self, held: _Held, tracker: Tracker) -> FrameRecord:
        kept: dict[int, ObjectRecord] = {}
        for known, mask in held.objects:
            record = ObjectRecord(**known, rle=mask.result())
            if record.obj_id in tracker.rejected:
                continue
            identity = tracker.same_as.get(record.obj_id, record.obj_id)
            if identity not in self.known:
                self._last += 1
                self.known[identity] = self._last
            number = self.known[identity]
            # An object on both sides of what hides it has two masks for a moment: the larger stands for it.
            if number not in kept or rle.area(record.rle) > rle.area(kept[number].rle):
                kept[number] = record.model_copy(update={"obj_id": number})
        return held.frame.model_copy(update={"objects": list(kept.values())})
