"""Following a window's objects, in either direction of time."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from core.formats.window_shard import Arrival, Facts, Recognised, ShardObject, ShardRow
from core.long_video.plan import Followed, Seed
from core.masks import Box, Mask, rle
from core.masks.boxes import iou_matrix
from core.prompts import Prompt
from core.tracking.tracker import Tracker
from core.video.frames import RGB, Frame


class Follower:
    """Takes the frames of a window in order (backward: descending) and gives a row for each.

    `arrivals` holds how objects came to their own annotations.

    Args:
        tracker: fresh, or as the window before left it.
        objects: what to follow; empty where a detector finds it.
        before: what the window before knew.
        size: width and height of the source, in whose pixels seeds are.
    """

    def __init__(self, tracker: Tracker, objects: Sequence[Followed], before: Facts, size: tuple[int, int]) -> None:
        self._tracker = tracker
        self._by_prompt = bool(objects)
        self._objects = {one.obj_id: one for one in objects}
        self._size = size
        self._since = dict(before.since)
        self._last = dict(before.last)
        self._recognised: list[Recognised] = []
        self._due: dict[int, dict[int, Seed]] = defaultdict(dict)
        for one in sorted(objects, key=lambda one: one.obj_id):
            for seed in one.seeds:
                self._due[seed.shown.frame][one.obj_id] = seed
        self.arrivals: list[Arrival] = []

    def rows(self, frames: Iterator[tuple[Frame, Frame | None]]) -> Iterator[ShardRow]:
        """A row for each frame; each comes with the one after it, where there is one."""
        for frame, upcoming in frames:
            yield self._row(frame, None if upcoming is None else upcoming.image)

    def facts(self) -> Facts:
        """What the next window needs to know, and what became of tentative objects."""
        tracker = self._tracker
        return Facts(
            since=self._since,
            last=self._last,
            rejected=sorted(tracker.rejected),
            same_as=tracker.same_as,
            recognised=self._recognised,
        )

    def _row(self, frame: Frame, upcoming: RGB | None) -> ShardRow:
        tracker = self._tracker
        if self._by_prompt:
            self._let_go(frame.source_frame)
        due = self._due.get(frame.source_frame, {})
        prompts = {
            obj_id: (self._objects[obj_id].name, self._prompt(seed, frame.image)) for obj_id, seed in due.items()
        }
        tracker.step(frame.image, frame.time_s, prompts, upcoming)
        self._note_arrivals(frame, due)
        for obj_id, seed in due.items():
            self._since[obj_id] = (seed.since, seed.since_s)
        anchored = {obj_id for obj_id, seed in due.items() if seed.since == frame.source_frame}
        if not self._by_prompt:
            anchored = {track.obj_id for track in tracker.live.values() if track.prompted == tracker.frame}
            self._since |= dict.fromkeys(anchored, (frame.source_frame, frame.time_s))
            self._note_found(frame.source_frame)
        objects = [
            ShardObject(
                obj_id=track.obj_id,
                label=track.label,
                score=round(track.score, 4),
                anchored=track.obj_id in anchored,
                since=self._since[track.obj_id][0],
                since_s=self._since[track.obj_id][1],
                rle=rle.encode(track.mask),
            )
            for track in tracker.visible(doubtful=False)
        ]
        return ShardRow(frame=frame.source_frame, time_s=round(frame.time_s, 6), objects=objects)

    def _let_go(self, frame: int) -> None:
        """Follow no further what is not plausible on this frame, or begins anew on it."""
        for obj_id in list(self._since):
            one = self._objects.get(obj_id)
            plausible = one is not None and any(first <= frame <= last for first, last in one.runs)
            if one is None or not plausible or frame in one.begins:
                del self._since[obj_id]
                if obj_id in self._tracker.live:
                    self._tracker.drop(obj_id)

    def _note_found(self, frame: int) -> None:
        """Of objects that a text found: where each was seen last, and who was known again."""
        tracker = self._tracker
        for new, likeness in tracker.likeness.items():
            old = tracker.same_as[new]
            known = Recognised(
                obj_id=new,
                same_as=old,
                from_frame=self._last.get(old, frame),
                to_frame=frame,
                likeness=round(likeness, 4),
            )
            self._recognised.append(known)
        tracker.likeness.clear()
        for track in tracker.visible(doubtful=False):
            self._last[tracker.same_as.get(track.obj_id, track.obj_id)] = frame

    def _prompt(self, seed: Seed, image: RGB) -> Prompt:
        height, width = image.shape[:2]
        across, down = width / self._size[0], height / self._size[1]
        shown = seed.shown
        mask = None if shown.mask is None else _resized(rle.decode(shown.mask), width, height)
        if mask is not None and mask.any():
            return Prompt(mask=mask, anchor=True)
        points = tuple((x * across, y * down, bool(positive)) for x, y, positive in shown.points)
        return Prompt(_scaled(shown.extent, across, down), points, anchor=True)

    def _note_arrivals(self, frame: Frame, due: dict[int, Seed]) -> None:
        height, width = frame.image.shape[:2]
        arrived = self._tracker.arrived
        for obj_id, seed in due.items():
            expected = _scaled(seed.shown.extent, width / self._size[0], height / self._size[1])
            if obj_id not in self._since or expected is None or seed.since != frame.source_frame:
                continue
            fits = {other: float(iou_matrix([box], [expected])[0, 0]) for other, box in arrived.items()}
            own = fits.pop(obj_id, 0.0)
            rival = max(fits.items(), key=lambda item: item[1], default=(0, 0.0))
            self.arrivals.append(
                Arrival(
                    obj_id=obj_id,
                    since=self._since[obj_id][0],
                    frame=frame.source_frame,
                    iou=round(own, 4),
                    rival=(rival[0], round(rival[1], 4)) if rival[1] > 0 else None,
                )
            )


def _scaled(box: Box | None, across: float, down: float) -> Box | None:
    return None if box is None else (box[0] * across, box[1] * down, box[2] * across, box[3] * down)


def _resized(mask: Mask, width: int, height: int) -> Mask:
    if mask.shape == (height, width):
        return mask
    shrunk = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk >= 0.5, np.bool_)
