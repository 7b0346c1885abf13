"""The tracking loop: frames in, one record per processed frame out, memory flat in the video's length."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

from core.formats.tracks import FrameRecord, ObjectRecord
from core.masks import rle
from core.masks.boxes import documented_xywh
from core.prompts import ObjectPrompt, Prompt
from core.tracking.tracker import Track, Tracker
from core.video.frames import Frame

_ENCODED_BEHIND = 2  # frames whose masks may still be being encoded while the next is tracked


@dataclass
class _Held:
    """A tracked frame: what is known of each object, and its mask, which another thread encodes."""

    frame: FrameRecord
    objects: list[tuple[dict[str, Any], "Future[rle.RLE]"]]
    waits_for: set[int]


def track_frames(
    frames: Iterable[Frame], tracker: Tracker, prompts: Sequence[ObjectPrompt] = (), max_held: int = 60
) -> Iterator[FrameRecord]:
    """Track through `frames` and yield their records in order.

    Frames are held back while an object in them is still tentative, so that a confirmed object is recorded from
    its first frame and a rejected one nowhere. Objects that were found are numbered from 1 in the order of first
    sight; objects that were prompted keep the ids they were given. Masks are encoded in a thread of their own.

    Args:
        frames: in presentation order.
        tracker: fresh.
        prompts: each is applied on its source frame, or the first processed one after it; those beyond the end are not.
            Without anything to show, it ends its object there.
        max_held: most frames held back; beyond, tentative objects are given up.
    """
    waiting = deque(sorted(prompts, key=lambda p: p.source_frame))
    held: deque[_Held] = deque()
    numbers = _Numbers({one.obj_id: one.obj_id for one in prompts})
    behind = min(_ENCODED_BEHIND, max_held - 1)
    encoder = ThreadPoolExecutor(1, "encode-masks")
    try:
        for frame_idx, (frame, upcoming) in enumerate(with_next(frames)):
            due: dict[int, tuple[str | None, Prompt | None]] = {}
            while waiting and waiting[0].source_frame <= frame.source_frame:
                one = waiting.popleft()
                due[one.obj_id] = (one.label, one.prompt)
            tracker.step(frame.image, frame.time_s, due, None if upcoming is None else upcoming.image)
            held.append(_hold(frame_idx, frame, tracker, encoder))
            while len(held) > max_held and held[0].waits_for & tracker.tentative():
                for obj_id in sorted(held[0].waits_for & tracker.tentative()):
                    tracker.reject(obj_id)
            tentative = tracker.tentative()
            while len(held) > behind and not held[0].waits_for & tentative:
                yield numbers.settle(held.popleft(), tracker)
        tracker.finish()
        for one_held in held:
            yield numbers.settle(one_held, tracker)
    finally:
        encoder.shutdown(cancel_futures=True)


def with_next(frames: Iterable[Frame]) -> Iterator[tuple[Frame, Frame | None]]:
    """Each frame with the one after it; None after the last."""
    for frame, upcoming in pairwise(chain(frames, (None,))):
        assert frame is not None
        yield frame, upcoming


def _hold(frame_idx: int, frame: Frame, tracker: Tracker, encoder: ThreadPoolExecutor) -> _Held:
    visible = tracker.visible()
    record = FrameRecord(
        frame_idx=frame_idx, source_frame=frame.source_frame, time_s=round(frame.time_s, 6), objects=[]
    )
    objects = [(_known(track), encoder.submit(rle.encode, track.mask)) for track in visible]
    return _Held(record, objects, {track.obj_id for track in visible if not track.confirmed})


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
        self._known = given
        self._last = max(given.values(), default=0)

    def settle(self, held: _Held, tracker: Tracker) -> FrameRecord:
        kept: dict[int, ObjectRecord] = {}
        for known, mask in held.objects:
            record = ObjectRecord(**known, rle=mask.result())
            if record.obj_id in tracker.rejected:
                continue
            identity = tracker.same_as.get(record.obj_id, record.obj_id)
            if identity not in self._known:
                self._last += 1
                self._known[identity] = self._last
            number = self._known[identity]
            # An object on both sides of what hides it has two masks for a moment: the larger stands for it.
            if number not in kept or rle.area(record.rle) > rle.area(kept[number].rle):
                kept[number] = record.model_copy(update={"obj_id": number})
        return held.frame.model_copy(update={"objects": list(kept.values())})
