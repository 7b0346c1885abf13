"""The work of one item: a tracked video's folder as it is with all corrections."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field

from core.formats.corrections import Span, VideoCorrections
from core.formats.objects_csv import TrackedObject
from core.formats.tracks import FRAMES_FILE, FrameRecord, ObjectRecord, read_frames, read_head, write_frames, write_head
from core.item import Record, item
from core.masks import rle
from core.masks.boxes import documented_xywh
from core.progress import Progress
from core.tracking.counting import note_object

T = TypeVar("T")


class Stretch(BaseModel):
    """A stretch that was tracked again: the folder of its records, and its first and last source frame."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    folder: Path
    first: int
    last: int


class Retracked(BaseModel):
    """What comes of one prompt: which frames of the object, and where they were tracked, or else the mask that is
    shown on them."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    obj_id: int
    owned: list[Span]
    stretches: list[Stretch] = Field(default_factory=list)
    shown: rle.RLE | None = None


class CorrectRequest(BaseModel):
    """A tracked video's folder, its corrections, what was tracked again for them, and what its objects are called."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    tracks: Path
    corrections: VideoCorrections
    retracked: list[Retracked] = Field(default_factory=list)
    labels: dict[int, str | None] = Field(default_factory=dict)


@item(CorrectRequest)
def correct_tracks(request: CorrectRequest, folder: Path, report: Progress) -> Record:
    """Apply corrections; leaves `video.json` and `frames.jsonl`, with the same frames as before, in `folder`.

    Returns:
        frames, objects, seconds, `summary`: a `TrackedObject` of each.
    """
    labels = labels_of(request.corrections, request.labels)
    pieces = [RetrackedFrames(one) for one in request.retracked]
    objects: dict[int, TrackedObject] = {}
    done = 0

    def corrected() -> Iterator[FrameRecord]:
        nonlocal done
        for record in read_frames(request.tracks):
            found = correct_frame(record, request.corrections, [one.at(record.source_frame) for one in pieces], labels)
            for one in found.objects:
                note_object(objects, found, one)
            done += 1
            report(done, None)
            yield found

    with (folder / FRAMES_FILE).open("w", encoding="utf-8") as stream:
        write_frames(stream, corrected())
    write_head(folder, read_head(request.tracks))
    return {
        "frames": done,
        "objects": len(objects),
        "summary": [objects[obj_id].model_dump() for obj_id in sorted(objects)],
    }


def correct_frame(
    record: FrameRecord,
    corrections: VideoCorrections,
    retracked: "Sequence[Anew | None]",
    labels: dict[int, str | None],
) -> FrameRecord:
    """One frame with everything that a person put right, objects by id.

    Args:
        record: as it was tracked.
        corrections: of the video.
        retracked: what each prompt that owns the frame says of it.
        labels: of objects that are called otherwise than they were tracked.
    """
    found = corrected_objects(
        record.source_frame,
        [(one.obj_id, one) for one in record.objects],
        corrections,
        {one.obj_id: one.seen for one in retracked if one is not None},
        lambda one: rle.area(one.rle),
    )
    objects = [
        one.model_copy(update={"obj_id": obj_id, "label": labels.get(obj_id, one.label)}) for obj_id, one in found
    ]
    return record.model_copy(update={"objects": objects})


def corrected_objects(
    frame: int,
    tracked: Iterable[tuple[int, T]],
    corrections: VideoCorrections,
    anew: Mapping[int, T | None],
    area: Callable[[T], int],
) -> list[tuple[int, T]]:
    """The objects of a frame by what they are called by now, in that order.

    Args:
        frame: source frame.
        tracked: what was tracked there, by id.
        corrections: of the video.
        anew: what was tracked again, by what it is called; None: it is not in sight.
        area: of an object's mask.
    """
    found: dict[int, T] = {}
    for tracked_id, one in tracked:
        obj_id = corrections.called(tracked_id, frame)
        # Two that are one object have two masks for a moment: the larger stands for it.
        if obj_id not in anew and (obj_id not in found or area(one) > area(found[obj_id])):
            found[obj_id] = one
    found |= {obj_id: seen for obj_id, seen in anew.items() if seen is not None}
    return [(obj_id, found[obj_id]) for obj_id in sorted(found) if not corrections.is_absent(obj_id, frame)]


@dataclass(frozen=True)
class Anew:
    """What a prompt says of its object on a frame; `seen` is None where it is not in sight."""

    obj_id: int
    seen: ObjectRecord | None


class RetrackedFrames:
    """Reads what was tracked from a prompt, one stretch at a time."""

    def __init__(self, known: Retracked) -> None:
        self._known = known
        self._held: Stretch | None = None
        self._frames: dict[int, ObjectRecord | None] = {}

    def at(self, frame: int) -> Anew | None:
        """What it says of a frame; None where the frame does not come from it."""
        if not any(frame in span for span in self._known.owned):
            return None
        if self._known.shown is not None:
            return Anew(self._known.obj_id, _as_shown(self._known.obj_id, self._known.shown))
        stretch = next(one for one in self._known.stretches if one.first <= frame <= one.last)
        if stretch != self._held:
            self._frames = {one.source_frame: _only(one.objects) for one in read_frames(stretch.folder)}
            self._held = stretch
        return Anew(self._known.obj_id, self._frames.get(frame))


def _as_shown(obj_id: int, mask: rle.RLE) -> ObjectRecord:
    x, y, width, height = documented_xywh(rle.box_xyxy(mask))
    return ObjectRecord(
        obj_id=obj_id, bbox=(x, y, width, height), label=None, score=1.0, detection_score=None, rle=mask
    )


def _only(objects: Sequence[ObjectRecord]) -> ObjectRecord | None:
    return objects[0] if objects else None


def labels_of(corrections: VideoCorrections, known: Mapping[int, str | None]) -> dict[int, str | None]:
    """What each object is called that a person corrected.

    Args:
        corrections: of the video.
        known: labels as they were tracked, by id.
    """
    counting = [one for one in corrections.prompts if one.until is None]
    renamed = {one.becomes: known.get(one.becomes) or known.get(one.obj_id) for one in corrections.ids}
    tracked = {one.obj_id: known.get(one.obj_id) or renamed.get(one.obj_id) for one in corrections.prompts}
    shown = {one.obj_id: one.label for one in counting if one.label is not None}
    return {**renamed, **tracked, **shown, **corrections.labels}
