"""What a person corrected in the annotations of a long video, while these are put together."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from core.corrections.correct_item import Retracked, RetrackedFrames, corrected_objects, labels_of
from core.formats.corrections import VideoCorrections
from core.formats.tracks import ObjectRecord
from core.formats.window_shard import ShardRow
from core.long_video.annotating import Annotated, Annotator
from core.long_video.merge import Identity, Shard, Sighting
from core.long_video.names import Names
from core.masks import rle
from core.store.atomic import write_text
from core.video.index import FrameIndex

Rows = Iterator[tuple[int, float, list[tuple[Shard, ShardRow]]]]


class KnownObject(BaseModel):
    """An object before corrections: its id and name in the annotations, and the frames from which it was followed."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    assoc_id: str
    name: str
    starts: list[int]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    objects: dict[int, KnownObject] = Field(default_factory=dict)


class KnownObjects:
    """Collects, frame by frame, what corrections have to know of objects."""

    def __init__(self) -> None:
        self._file = _File()

    def add(self, frame: int, best: Mapping[Identity, Sighting], names: Names) -> None:
        """Note who is seen on a frame: for the first time, or by an annotation or detection there."""
        for identity, seen in best.items():
            number = names.number(identity, seen.found.label)
            known = self._file.objects.get(number)
            if known is None:
                assoc_id, name = names.named(identity, seen.found.label)
                self._file.objects[number] = KnownObject(assoc_id=assoc_id, name=name, starts=[frame])
            elif seen.found.anchored:
                known.starts.append(frame)

    def write(self, path: Path) -> None:
        """Write it, see `read_known`."""
        write_text(path, self._file.model_dump_json())


def read_known(path: Path) -> dict[int, KnownObject]:
    """All objects of a video by number, as `KnownObjects` wrote them."""
    return _File.model_validate_json(path.read_bytes()).objects


class CorrectionsRequest(BaseModel):
    """What was corrected: `known` are the objects before, by number; `anchors` the frame of each that was retracked."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    corrections: VideoCorrections
    retracked: list[Retracked] = Field(default_factory=list)
    anchors: list[tuple[int, float]] = Field(default_factory=list)
    known: dict[int, KnownObject] = Field(default_factory=dict)


class Corrector:
    """Applies corrections to annotated frames, ascending."""

    def __init__(self, request: CorrectionsRequest, annotator: Annotator) -> None:
        self._request = request
        self._annotator = annotator
        self._pieces = [RetrackedFrames(one) for one in request.retracked]
        self._names = labels_of(request.corrections, {number: one.name for number, one in request.known.items()})

    def apply(self, frame: int, time_s: float, objects: list[Annotated]) -> list[Annotated]:
        """The objects of a frame with everything that was put right, by id."""
        anew: dict[int, Annotated | None] = {}
        for piece, (anchor, anchor_s) in zip(self._pieces, self._request.anchors, strict=True):
            found = piece.at(frame)
            if found is not None:
                seen = found.seen
                anew[found.obj_id] = (
                    None
                    if seen is None
                    else self._annotated(found.obj_id, seen, frame == anchor, abs(time_s - anchor_s))
                )
        tracked = [(one.number, one) for one in objects]
        corrected = corrected_objects(frame, tracked, self._request.corrections, anew, lambda one: rle.area(one.rle))
        named = [self._called(number, one) for number, one in corrected]
        return sorted(named, key=lambda one: one.dense.assoc_id)

    def _annotated(self, number: int, seen: ObjectRecord, anchored: bool, distance_s: float) -> Annotated:
        dense = self._annotator.dense(
            str(number), seen.label or "object", seen.rle, seen.score, anchored, None, distance_s
        )
        return Annotated(number, dense, seen.rle)

    def _called(self, number: int, one: Annotated) -> Annotated:
        known = self._request.known.get(number)
        assoc_id = str(number) if known is None else known.assoc_id
        name = self._names.get(number) or (one.dense.assoc_name if known is None else known.name)
        return Annotated(number, one.dense.model_copy(update={"assoc_id": assoc_id, "assoc_name": name}), one.rle)


def every_frame(rows: Rows, index: FrameIndex, interval: int) -> Rows:
    """The rows, and between them the frames that lie on the grid and have none."""
    due = 0
    for frame, time_s, together in rows:
        for missing in range(due, frame, interval):
            yield missing, round(float(index.times_s[missing]), 6), []
        due = max(due, (frame // interval + 1) * interval)
        yield frame, time_s, together
    for missing in range(due, len(index), interval):
        yield missing, round(float(index.times_s[missing]), 6), []
