"""MOTChallenge: boxes with ids, a row each (Milan et al., 2016).

    PART/VIDEO/gt/gt.txt: frame, id, left, top, width, height, 1, class, visibility
    results/PART/VIDEO.txt: frame, id, left, top, width, height, score, -1, -1, -1

`gt.txt` is what trackers are trained and judged with, and what CVAT reads; `results/` is what a tracker hands in.
Frames and pixels count from 1 (frames) and 0 (pixels, upper edges exclusive). Class 1 is `pedestrian` (or person), as
the benchmark has it; others follow, `labels.txt` names them. Ids of -1 are detections of nobody in particular.
"""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from core.formats.exchange.material import Format, Material
from core.formats.exchange.model import OBJECT, BadResults, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.parsing import box_from_xywh, checked_label, telling, whole
from core.formats.exchange.sequences import (
    SequenceFiles,
    class_names,
    classes,
    find_sequences,
    picture,
    rate,
    read_rows,
    write_about,
)
from core.formats.exchange.shelf import Shelf
from core.formats.exchange.sources import Sources

_MOT17 = (
    "pedestrian", "person on vehicle", "car", "bicycle", "motorbike", "non motorized vehicle", "static person",
    "distractor", "occluder", "occluder on the ground", "occluder full", "reflection",
)  # fmt: skip


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
                    x0, y0, x1, y1 = (f"{v:.10g}" for v in _xywh(one))
                    place = (frame.source_frame + 1, one.obj_id, x0, y0, x1, y1)
                    truth.writerow((*place, 1, numbers[one.label], 1))
                    tracked.writerow((*place, 1 if one.score is None else one.score, -1, -1, -1))


def _xywh(one: SeenObject) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = one.box_xyxy
    return x0, y0, x1 - x0, y1 - y0


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """See `Format.read`. Rows whose seventh number is 0 are not to be judged: they are left out."""
    return [_video(sequence, sources) for sequence in find_sequences(path, sources)]


def _video(sequence: SequenceFiles, sources: Sources) -> VideoResults:
    size = sequence.size
    if size is None:
        info = sources.need(sequence.name, "the size of its pictures (no seqinfo.ini)")
        size = (info.height, info.width)
    return VideoResults(
        name=sequence.name,
        width=size[1],
        height=size[0],
        fps=rate(sequence),
        read=lambda: _frames(sequence),
        length=sequence.length,
        tracked=not _without_ids(sequence.rows),
        complete=sequence.length is not None,
    )


def _frames(sequence: SequenceFiles) -> Iterator[SeenFrame]:
    """Rows may be in any order, often they are by track; every frame of the sequence was looked at."""
    shelf = Shelf()
    fps = rate(sequence)
    for frame in range(sequence.length or 0):
        shelf.frame("", frame, frame / fps)
    is_truth, untracked = sequence.rows.stem == "gt", _without_ids(sequence.rows)
    for number, line in read_rows(sequence.rows):
        with telling(f"{sequence.rows}, line {number}"):
            values = [float(value) for value in line.rstrip(" ,").split(",")]
            if len(values) < 6:
                raise BadResults(f"frame, id, left, top, width, height are wanted, not {line[:60]!r}")
            if is_truth and len(values) > 6 and values[6] == 0:
                continue
            frame = whole(values[0], "frame", 1) - 1
            if sequence.length is not None and frame >= sequence.length:
                raise BadResults(f"frame {frame + 1} of a sequence of {sequence.length}")
            shelf.frame("", frame, frame / fps)
            shelf.put("", frame, _seen(values, number if untracked else None, sequence, is_truth))
    yield from shelf.frames("", shelf.shift(""))


def _without_ids(rows: Path) -> bool:
    """Whether these are detections: their ids are -1."""
    return any(line.split(",")[1:2] == ["-1"] for _, line in islice(read_rows(rows), 1))


def _seen(values: list[float], row: int | None, sequence: SequenceFiles, is_truth: bool) -> SeenObject:
    score = None if is_truth or len(values) < 7 or values[6] < 0 else values[6]
    number = int(values[7]) if len(values) > 7 else -1
    names = sequence.labels or (_MOT17 if is_truth else ())
    label = names[number - 1] if 1 <= number <= len(names) else OBJECT
    obj_id = whole(values[1], "id") if row is None else row
    return SeenObject(obj_id, checked_label(label), box_from_xywh(values[2:6]), score)


FORMAT = Format(
    "mot", "MOTChallenge: boxes with ids in text", ("box",),
    "masks, detection scores; scores in gt/gt.txt (they are in results/), labels in results/", write, read, picture,
)  # fmt: skip
