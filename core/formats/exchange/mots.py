"""MOTS: masks with ids, a row each (Voigtlaender et al., CVPR 2019).

    PART/VIDEO/gt/gt.txt: frame id class height width RLE, with id = 1000 x class + number, frames from 1

`pedestrian` (also called person) is class 2 and `car` class 1, as in the benchmark; other labels follow from 3 on, 10
left out: it marks what is not judged. No pixel belongs to two objects.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from core.formats.exchange.material import Format, Material
from core.formats.exchange.model import OBJECT, BadResults, Census, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.parsing import checked_rle, telling, whole
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
from core.masks import rle
from core.masks.flatten import flatten

_IGNORED = 10
_A_CLASS = 1000


def write(root: Path, material: Material) -> None:
    """See `Format.write`. Raises `BadResults` for a video with more than 999 objects."""
    numbered = classes(material.labels, {"car": 1, "pedestrian": 2, "person": 2}, left_out=(_IGNORED,))
    names = class_names(numbered)
    for part, video in material.videos():
        census = material.census[video.name]
        numbers = _numbers(census, video.name)
        rows = write_about(root / part / video.name, video, census, names)
        with rows.open("w", encoding="ascii", newline="\n") as out:
            for frame in video.read():
                for one, mask in _apart(frame, video):
                    number = numbered[one.label]
                    height, width = mask["size"]
                    obj_id = _A_CLASS * number + numbers[one.obj_id]
                    out.write(f"{frame.source_frame + 1} {obj_id} {number} {height} {width} {mask['counts']}\n")


def _numbers(census: Census, video: str) -> Mapping[int, int]:
    """The objects' own ids where these fit, else counted from 1 in the order of first sight."""
    if len(census.tracks) >= _A_CLASS:
        raise BadResults(f"{video} has {len(census.tracks)} objects: mots holds 999 a video; coco-video holds all")
    fit = max(census.tracks, default=0) < _A_CLASS
    return {obj_id: obj_id if fit else number for number, obj_id in enumerate(census.tracks, 1)}


def _apart(frame: SeenFrame, video: VideoResults) -> Iterator[tuple[SeenObject, rle.RLE]]:
    """The objects of a frame with masks that do not overlap; those of which nothing is left are left out."""
    masks = [one.rle for one in frame.objects if one.rle is not None]
    if len(masks) > 1 and (np.triu(rle.iou_matrix(masks, masks), 1) > 0).any():
        placed = [(place, one.rle, one.score) for place, one in enumerate(frame.objects, 1) if one.rle is not None]
        ids = flatten(placed, video.height, video.width)
        found = [(one, rle.encode(np.asarray(ids == place, np.bool_))) for place, one in enumerate(frame.objects, 1)]
    else:
        found = [(one, one.rle) for one in frame.objects if one.rle is not None]
    yield from ((one, mask) for one, mask in found if rle.area(mask))


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """See `Format.read`. What is not to be judged (class 10) is left out."""
    return [_video(sequence) for sequence in find_sequences(path, sources)]


def _video(sequence: SequenceFiles) -> VideoResults:
    size = sequence.size
    short: dict[int, int] = {}
    for number, line in read_rows(sequence.rows):
        with telling(f"{sequence.rows}, line {number}"):
            values = _values(line)
            size = size or (values[3], values[4])
            if values[2] != _IGNORED:
                short.setdefault(values[1], values[1] % _A_CLASS)
    if size is None:
        raise BadResults(f"{sequence.rows}: no rows, and no seqinfo.ini that tells the size of its pictures")
    if len(set(short.values())) < len(short) or 0 in short.values():
        short = {obj_id: obj_id for obj_id in short}
    return VideoResults(
        name=sequence.name,
        width=size[1],
        height=size[0],
        fps=rate(sequence),
        read=lambda: _frames(sequence, size, short),
        length=sequence.length,
        complete=sequence.length is not None,
    )


def _values(line: str) -> tuple[int, int, int, int, int, str]:
    parts = line.split(" ")
    if len(parts) != 6:
        raise BadResults(f"frame id class height width RLE are wanted, not {line[:60]!r}")
    frame, obj_id, number, height, width = (int(part) for part in parts[:5])
    return whole(frame, "frame", 1), whole(obj_id, "id", 1), number, height, width, parts[5]


def _frames(sequence: SequenceFiles, size: tuple[int, int], short: Mapping[int, int]) -> Iterator[SeenFrame]:
    shelf = Shelf()
    fps = rate(sequence)
    for frame in range(sequence.length or 0):
        shelf.frame("", frame, frame / fps)
    for row, line in read_rows(sequence.rows):
        with telling(f"{sequence.rows}, line {row}"):
            frame, obj_id, number, height, width, counts = _values(line)
            if number == _IGNORED:
                continue
            if sequence.length is not None and frame > sequence.length:
                raise BadResults(f"frame {frame} of a sequence of {sequence.length}")
            mask = checked_rle({"size": [height, width], "counts": counts}, size)
            names = sequence.labels or ("car", "pedestrian")
            label = names[number - 1] if 1 <= number <= len(names) else OBJECT
            shelf.frame("", frame - 1, (frame - 1) / fps)
            shelf.put("", frame - 1, SeenObject(short[obj_id], label, rle.box_xyxy(mask), rle=mask))
    yield from shelf.frames("")


FORMAT = Format(
    "mots", "MOTS: masks with ids in text", ("mask",),
    "overlaps, scores, empty masks, ids above 999 (counted anew), which frames were looked at", write, read, picture,
)  # fmt: skip
