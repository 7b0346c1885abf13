"""MOTChallenge: boxes with ids, a row each (Milan et al., 2016).

    PART/VIDEO/gt/gt.txt: frame, id, left, top, width, height, 1, class, visibility
    results/PART/VIDEO.txt: frame, id, left, top, width, height, score, -1, -1, -1

`gt.txt` is what trackers are trained and judged with, and what CVAT reads; `results/` is what a tracker hands in.
Frames and pixels count from 1 (frames) and 0 (pixels, upper edges exclusive). Class 1 is `pedestrian` (or person), as
the benchmark has it; others follow, `labels.txt` names them. Ids of -1 are detections of nobody in particular.

In `gt.txt` rows whose seventh number is 0 are not judged. Of these, and of any row where no `labels.txt` gives the
classes another meaning, persons on vehicles, static persons, distractors and reflections (in MOT20 vehicles without a
motor, too) excuse what is found on them; see TrackEval's `MotChallenge2DBox`.
"""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.formats.exchange.material import Format, Material
from core.formats.exchange.model import OBJECT, BadResults, Census, Ignored, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.parsing import Lenient, box_from_xywh, checked_label, whole
from core.formats.exchange.sequences import (
    SequenceFiles,
    class_names,
    classes,
    find_sequences,
    picture,
    rate,
    read_rows,
    source_frame,
    write_about,
)
from core.formats.exchange.shelf import Shelf
from core.formats.exchange.sources import MissingFacts, Sources
from core.masks.boxes import xywh

_MOT17 = (
    "pedestrian", "person on vehicle", "car", "bicycle", "motorbike", "non motorized vehicle", "static person",
    "distractor", "occluder", "occluder on the ground", "occluder full", "reflection", "crowd",
)  # fmt: skip
_DISTRACTORS = frozenset({"person on vehicle", "static person", "distractor", "reflection"})
_VEHICLE = "non motorized vehicle"


def write(root: Path, material: Material) -> None:
    """See `Format.write`."""
    numbers = classes(material.labels, {"pedestrian": 1, "person": 1})
    names = class_names(numbers)
    for part, video in material.videos():
        rows = write_about(root / part / video.name, video, material.census[video.name], names)
        results = root / "results" / part / f"{video.name}.txt"
        results.parent.mkdir(parents=True, exist_ok=True)
        with rows.open("w", newline="") as gt, results.open("w", newline="") as found:
            truth, tracked = (csv.writer(out, lineterminator="\n") for out in (gt, found))
            for frame in video.read():
                for one in frame.objects:
                    x0, y0, x1, y1 = (f"{v:.10g}" for v in xywh(one.box_xyxy))
                    place = (frame.source_frame + 1, one.obj_id, x0, y0, x1, y1)
                    truth.writerow((*place, 1, numbers[one.label], 1))
                    tracked.writerow((*place, 1 if one.score is None else one.score, -1, -1, -1))
                for number, mark in enumerate(frame.ignored, _first_free(material.census[video.name])):
                    if mark.rule in ("distractor", "unjudged"):
                        sides = (f"{v:.10g}" for v in xywh(mark.box_xyxy))
                        row = (frame.source_frame + 1, mark.obj_id or number, *sides, 0, numbers[mark.label], 1)
                        truth.writerow(row)


def _first_free(census: Census) -> int:
    return max(census.tracks, default=0) + 1


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """See `Format.read`. A sequence of which nothing gives the size is noted and left out, if there are others."""
    sequences = find_sequences(path, sources)
    sources = sources.of(len(sequences))
    videos: list[VideoResults] = []
    missing: MissingFacts | None = None
    for sequence in sequences:
        try:
            videos.append(_video(sequence, sources))
        except MissingFacts as error:
            sources.notes.add(str(sequence.rows), f"left out: {error}")
            missing = error
    if missing is not None and (not videos or sources.may_be_shown):
        raise missing
    return videos


def _video(sequence: SequenceFiles, sources: Sources) -> VideoResults:
    size = sequence.size
    if size is None:
        info = sources.need(sequence.name, "the size of its pictures (no seqinfo.ini)")
        size = (info.height, info.width)
    ids = _Ids.of(sequence.rows)
    if ids.free:
        sources.notes.add(str(sequence.rows), "rows without an id (-1) among others: each is an object of its own")
    return VideoResults(
        name=sequence.name,
        width=size[1],
        height=size[0],
        fps=rate(sequence),
        read=lambda: _frames(sequence, ids, sources),
        length=sequence.length,
        tracked=ids.tracked,
        complete=sequence.length is not None,
        place=sequence.place,
        by_number=True,
        origin=sequence.origin,
    )


@dataclass(frozen=True)
class _Ids:
    """What the ids of a file mean: whether there are any, and the first free one for rows without (0: none needed)."""

    tracked: bool
    free: int

    @classmethod
    def of(cls, rows: Path) -> "_Ids":
        some = nobody = False
        highest = 0
        for _, line in read_rows(rows):
            try:
                one = float(line.split(",")[1])
            except (IndexError, ValueError):
                continue  # noted when rows are read
            if math.isfinite(one):
                some, nobody = some or one >= 0, nobody or one < 0
                highest = max(highest, int(one))
        return cls(some or not nobody, highest + 1 if some and nobody else 0)


def _frames(sequence: SequenceFiles, ids: _Ids, sources: Sources) -> Iterator[SeenFrame]:
    """Rows may be in any order, often they are by track; every frame of the sequence was looked at."""
    shelf = Shelf()
    fps = rate(sequence)
    for frame in range(sequence.length or 0):
        shelf.frame("", frame, frame / fps)
    lenient = Lenient(sources.notes)
    for number, line in read_rows(sequence.rows):
        with lenient.entry(f"{sequence.rows}, line {number}"):
            values = [float(value) for value in line.rstrip(" ,").split(",")]
            if len(values) < 6:
                raise BadResults(f"frame, id, left, top, width, height are wanted, not {line[:60]!r}")
            frame = source_frame(values[0], sequence)
            seen = _seen(values, ids.free + number if values[1] < 0 else None, sequence, sources.truth)
            shelf.frame("", frame, frame / fps)
            if isinstance(seen, Ignored):
                shelf.ignore("", frame, seen)
            else:
                shelf.put("", frame, seen)
    lenient.check()
    yield from shelf.frames("", shelf.shift(""))


def _seen(values: list[float], otherwise: int | None, sequence: SequenceFiles, truth: bool) -> SeenObject | Ignored:
    """A row's object; its id is `otherwise` where it has none."""
    is_truth = sequence.rows.stem == "gt" or truth
    score = None if is_truth or len(values) < 7 or values[6] < 0 else values[6]
    number = int(values[7]) if len(values) > 7 else -1
    names = sequence.labels or (_MOT17 if is_truth else ())
    label = checked_label(names[number - 1] if 1 <= number <= len(names) else OBJECT)
    obj_id = whole(values[1], "id") if otherwise is None else otherwise
    box = box_from_xywh(values[2:6])
    if is_truth and len(values) > 6:
        excuses = label in _DISTRACTORS or (label == _VEHICLE and sequence.name.startswith("MOT20"))
        if excuses and (values[6] == 0 or not sequence.labels):
            return Ignored("distractor", label, box, obj_id=obj_id)
        if values[6] == 0:
            return Ignored("unjudged", label, box, obj_id=obj_id)
    return SeenObject(obj_id, label, box, score)


FORMAT = Format(
    "mot", "MOTChallenge: boxes with ids in text", ("box",),
    "masks, detection scores, crowds and regions that are not judged; scores in gt/gt.txt (they are in results/), "
    "labels in results/", write, read, picture,
    marks=("distractor", "unjudged"),
)  # fmt: skip
