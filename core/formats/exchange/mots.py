"""MOTS: masks with ids, a row each (Voigtlaender et al., CVPR 2019).

    PART/VIDEO/gt/gt.txt: frame id class height width RLE, with id = 1000 x class + number, frames from 1

`pedestrian` (also called person) is class 2 and `car` class 1, as in the benchmark; other labels follow from 3 on, 10
left out: it marks what is not judged (id 10000). No pixel belongs to two objects. KITTI counts frames from 0, and has
the same as PNG: see `mots_png`.
"""

from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path

import numpy as np

from core.formats.exchange import mots_png
from core.formats.exchange.material import Format, Material
from core.formats.exchange.model import OBJECT, BadResults, Census, Ignored, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.notes import Notes
from core.formats.exchange.parsing import Lenient, checked_rle, whole
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
from core.formats.exchange.sources import Sources
from core.masks import rle
from core.masks.flatten import flatten
from core.store.paths import visible

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
                if (region := _region(frame)) is not None:
                    height, width = region["size"]
                    row = f"{_A_CLASS * _IGNORED} {_IGNORED} {height} {width} {region['counts']}"
                    out.write(f"{frame.source_frame + 1} {row}\n")


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


def _region(frame: SeenFrame) -> rle.RLE | None:
    """All that is not judged on a frame, but for pixels of objects."""
    marks = [one.rle for one in frame.ignored if one.rle is not None]
    if not marks:
        return None
    region = rle.decode(reduce(rle.union, marks))
    for one in frame.objects:
        if one.rle is not None:
            region &= ~rle.decode(one.rle)
    return rle.encode(region) if region.any() else None


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """See `Format.read`."""
    if path.is_dir() and not visible(path, "**/*.txt"):
        return mots_png.read(path, sources)
    return [_video(sequence, sources.notes) for sequence in find_sequences(path, sources)]


def _video(sequence: SequenceFiles, notes: Notes) -> VideoResults:
    size = sequence.size
    short: dict[int, int] = {}
    lenient = Lenient(notes)
    for number, line in read_rows(sequence.rows):
        with lenient.entry(f"{sequence.rows}, line {number}"):
            values = _values(line)
            size = size or (values[3], values[4])
            if not _is_ignored(values):
                short.setdefault(values[1], values[1] % _A_CLASS)
    lenient.check()
    if size is None:
        raise BadResults(f"{sequence.rows}: no rows, and no seqinfo.ini that gives the size of its pictures")
    if len(set(short.values())) < len(short) or 0 in short.values():
        short = {obj_id: obj_id for obj_id in short}
    return VideoResults(
        name=sequence.name,
        width=size[1],
        height=size[0],
        fps=rate(sequence),
        read=lambda: _frames(sequence, size, short, notes),
        length=sequence.length,
        complete=sequence.length is not None,
        place=sequence.place,
        by_number=True,
        origin=sequence.origin,
    )


_Values = tuple[int, int, int, int, int, str]


def _values(line: str) -> _Values:
    parts = line.split()
    if len(parts) != 6:
        raise BadResults(f"frame id class height width RLE are wanted, not {line[:60]!r}")
    frame, obj_id, number, height, width = (int(part) for part in parts[:5])
    return whole(frame, "frame"), whole(obj_id, "id", 1), number, height, width, parts[5]


def _is_ignored(values: _Values) -> bool:
    return values[2] == _IGNORED or values[1] == _A_CLASS * _IGNORED


def _frames(
    sequence: SequenceFiles, size: tuple[int, int], short: Mapping[int, int], notes: Notes
) -> Iterator[SeenFrame]:
    shelf = Shelf()
    fps = rate(sequence)
    for frame in range(sequence.length or 0):
        shelf.frame("", frame, frame / fps)
    lenient = Lenient(notes)
    for row, line in read_rows(sequence.rows):
        with lenient.entry(f"{sequence.rows}, line {row}"):
            values = _values(line)
            _, obj_id, number, height, width, counts = values
            frame = source_frame(values[0], sequence)
            mask = checked_rle({"size": [height, width], "counts": counts}, size)
            shelf.frame("", frame, frame / fps)
            if _is_ignored(values):
                shelf.ignore("", frame, Ignored("region", OBJECT, rle.box_xyxy(mask), mask))
                continue
            names = sequence.labels or ("car", "pedestrian")
            label = names[number - 1] if 1 <= number <= len(names) else OBJECT
            shelf.put("", frame, SeenObject(short[obj_id], label, rle.box_xyxy(mask), rle=mask))
    lenient.check()
    yield from shelf.frames("")


FORMAT = Format(
    "mots", "MOTS: masks with ids in text", ("mask",),
    "overlaps, scores, empty masks, ids above 999 (counted anew), which frames were looked at", write, read, picture,
    marks=("crowd", "region", "void"),
)  # fmt: skip
