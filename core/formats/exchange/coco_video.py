"""YouTube-VIS: COCO for video, an annotation each track with a mask or null for each frame (Yang et al., ICCV 2019).

    PART.json     JPEGImages/VIDEO/00123.jpg

Frames are named by their source frame. Beside the format's own fields videos have `fps`, `times_s` and `path`,
annotations `track_id`, `name`, `scores` and `detection_score`.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import IO, Any, get_args

from core.formats.exchange.coco import annotation, categories, crowd
from core.formats.exchange.coco_reader import Videos, read_annotation, read_crowd, read_files
from core.formats.exchange.material import Format, Material, Shape
from core.formats.exchange.model import BadResults, Ignored, Rule, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.parsing import Lenient, checked_label, entries, whole
from core.formats.exchange.shelf import Shelf
from core.formats.exchange.sources import Sources
from core.masks import rle
from core.video.frame_names import stem_of
from core.video.image_folder import IMAGE_FOLDER_FPS
from core.video.video_paths import path_parts


def picture(part: str, video: str, frame: int) -> str:
    """See `Format.picture`."""
    del part
    return f"JPEGImages/{video}/{frame:05}.jpg"


def write(root: Path, material: Material) -> None:
    """See `Format.write`."""
    for part in material.parts:
        with (root / f"{part}.json").open("w", encoding="utf-8", newline="\n") as out:
            _write_part(out, part, material)


def _write_part(out: IO[str], part: str, material: Material) -> None:
    out.write('{"info": {"description": "made by maskflow"}, "licenses": [], "categories": ')
    out.write(_dump(categories(material)) + ', "videos": [')
    shelf = Shelf()
    for number, video in enumerate(material.parts[part], 1):
        shelf.put_frames(video.name, video.read())
        out.write((",\n" if number > 1 else "\n") + _dump(_about(number, part, video, shelf)))
    out.write('\n], "annotations": [')
    written = 0
    for number, video in enumerate(material.parts[part], 1):
        crowds = ((key[2], track) for key, track in _crowds(shelf, video.name))
        for obj_id, track in chain(shelf.tracks(video.name), crowds):
            written += 1
            out.write(",\n" if written > 1 else "\n")
            positions = (frame for frame, _ in shelf.positions(video.name))
            entry = {"id": written, "video_id": number, **({"track_id": obj_id} if obj_id else {})}
            _write_track(out, entry, _every(positions, track), video, material)
    out.write("\n]}\n")


_Mark = tuple[str, str, int, int]
_Track = Iterator[tuple[int, SeenObject | Ignored]]


def _crowds(shelf: Shelf, video: str) -> Iterator[tuple[_Mark, _Track]]:
    """What is not judged, as tracks: marks of one rule, label and id, the n-th on each frame."""

    def marks(frame: SeenFrame) -> Iterator[tuple[_Mark, Ignored]]:
        counts: Counter[tuple[str, str, int]] = Counter()
        for one in frame.ignored:
            alike = (one.rule, one.label, one.obj_id)
            yield (*alike, counts[alike]), one
            counts[alike] += 1

    keys = {key: None for frame in shelf.frames(video) for key, _ in marks(frame)}
    for wanted in keys:
        track = (
            (frame.source_frame, one) for frame in shelf.frames(video) for key, one in marks(frame) if key == wanted
        )
        yield wanted, track


def _about(number: int, part: str, video: VideoResults, shelf: Shelf) -> dict[str, Any]:
    positions = list(shelf.positions(video.name))
    return {
        "id": number,
        "name": video.name,
        "width": video.width,
        "height": video.height,
        "length": len(positions),
        "file_names": [picture(part, video.name, frame).removeprefix("JPEGImages/") for frame, _ in positions],
        "source_frames": [frame for frame, _ in positions],
        "fps": video.fps,
        "times_s": [time_s for _, time_s in positions],
        "source_length": video.length,
        "path": video.path,
    }


def _every(positions: Iterator[int], track: _Track) -> Iterator[SeenObject | Ignored | None]:
    """A track on every frame of its video: None where it is not seen."""
    frame, seen = next(track, (-1, None))
    for position in positions:
        if position == frame:
            yield seen
            frame, seen = next(track, (-1, None))
        else:
            yield None


def _write_track(
    out: IO[str],
    entry: dict[str, Any],
    track: Iterator[SeenObject | Ignored | None],
    video: VideoResults,
    material: Material,
) -> None:
    """Masks go straight into the file; boxes, areas and scores, which are short, are kept until they are done."""
    lists: dict[str, list[Any]] = {"bboxes": [], "areas": [], "scores": []}
    first: SeenObject | Ignored | None = None
    about: dict[str, Any] = {}
    out.write(_dump(entry)[:-1] + ', "segmentations": [')
    for index, seen in enumerate(track):
        first = first or seen
        fields = _fields(seen, material.shape)
        about = about or fields
        out.write((", " if index else "") + _dump(_unpacked(fields.get("segmentation"))))
        for name, field in (("bboxes", "bbox"), ("areas", "area"), ("scores", "score")):
            lists[name].append(fields.get(field))
    if first is None:
        raise ValueError("a track has a sighting")
    scores = [score for score in lists["scores"] if score is not None]
    more = {
        "category_id": material.labels.index(first.label) + 1 if first.label in material.labels else 1,
        "iscrowd": about["iscrowd"],
        "width": video.width,
        "height": video.height,
        "length": len(lists["bboxes"]),
        "score": sum(scores) / len(scores) if scores else 1.0,
        **{name: about.get(name) for name in ("detection_score", "name")},
        **({"ignored": about["ignored"]} if "ignored" in about else {}),
    }
    out.write("], " + _dump({**lists, **more})[1:])


def _fields(seen: SeenObject | Ignored | None, shape: Shape) -> dict[str, Any]:
    if seen is None:
        return {}
    return annotation(seen, shape) if isinstance(seen, SeenObject) else crowd(seen, shape)


def _unpacked(mask: Any) -> Any:
    """Masks of this format's truth are lists of runs; its tools unpack no others."""
    if not isinstance(mask, dict):
        return mask
    return {"size": mask["size"], "counts": rle.runs({"size": mask["size"], "counts": mask["counts"]})}


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """See `Format.read`. One track at a time is held in memory."""
    return read_files(path, sources, _read_file)


def _read_file(file: Path, shelf: Shelf, videos: Videos, sources: Sources, lenient: Lenient) -> None:
    labels = {entry["id"]: checked_label(entry.get("name")) for entry in entries(file, "categories")}
    names = [[stem_of(str(name)) for name in entry.get("file_names") or ()] for entry in entries(file, "videos")]
    sources = sources.of(len(names)).over(names)
    frames: dict[int, list[int]] = {}
    for entry in entries(file, "videos"):
        with lenient.entry(f"{file}, video {entry.get('id')}", counts=False):
            key = f"{file.name} {entry['id']}"
            videos[key], frames[entry["id"]] = _video_entry(entry, file, sources)
            times = entry.get("times_s") or [frame / videos[key]["fps"] for frame in frames[entry["id"]]]
            if len(times) != len(frames[entry["id"]]):
                raise BadResults(f"{len(times)} times_s for {len(frames[entry['id']])} file_names")
            for frame, time_s in zip(frames[entry["id"]], times, strict=True):
                shelf.frame(key, frame, float(time_s))
    for entry in entries(file, "annotations"):
        with lenient.entry(f"{file}, annotation {entry.get('id')}"):
            if entry["video_id"] not in frames:
                raise BadResults(f"no video {entry['video_id']!r}")
            if entry["category_id"] not in labels:
                raise BadResults(f"no category {entry['category_id']}")
            key = f"{file.name} {entry['video_id']}"
            label = labels[entry["category_id"]]
            _put_track(entry, key, label, frames[entry["video_id"]], videos[key], shelf, sources, file)


def _video_entry(entry: Mapping[str, Any], file: Path, sources: Sources) -> tuple[dict[str, Any], list[int]]:
    """What the file says of a video, and its source frames."""
    sizes = {side: whole(entry[side], side, 1) for side in ("width", "height")}
    name = entry.get("name") or (str(Path(entry["file_names"][0]).parent) if entry["file_names"] else entry["id"])
    ours = "source_frames" in entry
    facts = {
        **entry,
        **sizes,
        "name": str(name),
        "title": path_parts(str(name))[-1],
        "fps": float(entry.get("fps") or IMAGE_FOLDER_FPS),
        "length": entry.get("source_length"),
        "tracked": True,
        "by_number": not ours,
        "origin": None,
    }
    if ours and isinstance(entry["source_frames"], list):
        return facts, [whole(frame, "source_frames") for frame in entry["source_frames"]]
    stems = [stem_of(one) for one in entry["file_names"]]
    where = f"{file}, video {entry['id']}"
    numbered = sources.source_frames(where, facts["title"], stems, entry.get("path") or facts["name"])
    return {**facts, "origin": numbered.origin}, list(numbered.frames)


def _put_track(
    entry: Mapping[str, Any], key: str, label: str, frames: list[int], video: Mapping[str, Any], shelf: Shelf,
    sources: Sources, file: Path,
) -> None:  # fmt: skip
    size = (video["height"], video["width"])
    obj_id = whole(entry.get("track_id", entry["id"]), "track_id")
    for frame, moment in zip(frames, _moments(entry, len(frames)), strict=True):
        if moment is None:
            continue
        if entry.get("iscrowd"):
            shelf.ignore(key, frame, read_crowd(moment, entry.get("track_id") or 0, label, size))
        else:
            shelf.put(key, frame, read_annotation(moment, obj_id, label, size, sources.notes, str(file)))


def _moments(entry: Mapping[str, Any], count: int) -> Iterator[dict[str, Any] | None]:
    """A track's fields frame by frame, as COCO has them. Raises `BadResults` for a list of another length."""
    absent = [None] * count
    lists = {name: entry.get(name) or absent for name in ("segmentations", "bboxes", "scores")}
    for name, values in lists.items():
        if len(values) != count:
            raise BadResults(f"{len(values)} {name} for the {count} file_names of video {entry['video_id']}")
    same = {name: entry.get(name) for name in ("id", "detection_score", "name", "ignored")}
    for mask, box, score in zip(*lists.values(), strict=True):
        seen = mask is not None or box is not None
        yield {"segmentation": mask, "bbox": box, "score": score, **same} if seen else None


FORMAT = Format(
    "coco-video", "YouTube-VIS: one JSON, an annotation each track", ("mask", "polygon", "box"),
    "labels that change within a track; as polygons the holes of masks", write, read, picture,
    marks=get_args(Rule),
)  # fmt: skip
