"""Reading COCO instances, ours and other people's: see `core.formats.exchange.coco`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

from core.formats.exchange.model import BadResults, Ignored, Rule, SeenObject, VideoResults
from core.formats.exchange.notes import Notes
from core.formats.exchange.parsing import (
    Lenient,
    box_from_xywh,
    checked_label,
    checked_rle,
    checked_score,
    entries,
    telling,
    whole,
)
from core.formats.exchange.shelf import Shelf
from core.formats.exchange.sources import Sources
from core.masks import polygons, rle
from core.store.names import path_parts, short_names
from core.store.paths import visible
from core.video.frame_names import stem_of, video_of
from core.video.image_file import natural_key
from core.video.image_folder import IMAGE_FOLDER_FPS

_RULES: tuple[Rule, ...] = ("crowd", "region", "distractor", "unjudged", "void")


def annotation_files(path: Path) -> list[Path]:
    """The JSON files of a COCO folder, or the file itself. Raises `BadResults` where there is none."""
    if path.is_file():
        return [path]
    found = [*visible(path, "annotations/*.json"), *visible(path, "*.json")]
    told = [file for file in found if any("category_id" in entry for entry in islice(entries(file, "annotations"), 1))]
    if not found:
        raise BadResults(f"{path}: no annotations/*.json in it")
    return told or found  # captions and the like lie beside them


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """See `Format.read`. Images that do not tell of what video they are: by their names, as in `walk/000123.jpg`."""
    shelf = Shelf()
    videos: dict[str, dict[str, Any]] = {}
    lenient = Lenient(sources.notes)
    for file in annotation_files(path):
        with telling(str(file)):
            _read_file(file, shelf, videos, sources, lenient)
    lenient.check()
    parts = [path_parts(str(facts.get("path") or key)) for key, facts in videos.items()]
    names = short_names([(*one[:-1], key.rpartition("/")[2]) for one, key in zip(parts, videos, strict=True)])
    return [_video(name, key, facts, shelf) for name, (key, facts) in zip(names, videos.items(), strict=True)]


def _video(name: str, key: str, facts: Mapping[str, Any], shelf: Shelf) -> VideoResults:
    shift = shelf.shift(key)
    return VideoResults(
        name=name,
        width=facts["width"],
        height=facts["height"],
        fps=facts.get("fps") or IMAGE_FOLDER_FPS,
        read=lambda: shelf.frames(key, shift),
        length=facts.get("length"),
        path=facts.get("path"),
        folders=path_parts(key)[:-1],
        tracked=facts["tracked"],
    )


@dataclass(frozen=True)
class _Image:
    """An image of a file: of what video it is, its frame where it tells, and its size (height, width)."""

    key: str
    pattern: str  # its name without the frame's number: of one video all are alike
    stem: str
    size: tuple[int, int]
    source_frame: int | None
    time_s: float | None


def _read_file(file: Path, shelf: Shelf, videos: dict[str, dict[str, Any]], sources: Sources, lenient: Lenient) -> None:
    labels = {entry["id"]: checked_label(entry.get("name")) for entry in entries(file, "categories")}
    told = {entry["name"]: entry for entry in entries(file, "videos") if isinstance(entry.get("name"), str)}
    listed: dict[int, _Image] = {}
    for entry in entries(file, "images"):
        number = entry["id"]
        if number in listed:
            raise BadResults(f"two images have the id {number}")
        with lenient.entry(f"{file}, image {number}", counts=False):
            listed[number] = _image(entry, file, sources)
    images = _place(file, listed, told, shelf, videos, sources)
    untracked: dict[int, int] = {}
    for entry in entries(file, "annotations"):
        with lenient.entry(f"{file}, annotation {entry.get('id')}"):
            place = images.get(entry["image_id"]) if isinstance(entry["image_id"], int) else None
            if place is None:
                text = " (it is text: ids are numbers)" if isinstance(entry["image_id"], str) else ""
                raise BadResults(f"no image {entry['image_id']!r}{text}")
            if entry["category_id"] not in labels:
                raise BadResults(f"no category {entry['category_id']}")
            key, frame = place
            obj_id = track_id(entry)
            label, size = labels[entry["category_id"]], (videos[key]["height"], videos[key]["width"])
            if entry.get("iscrowd"):
                shelf.ignore(key, frame, read_crowd(entry, obj_id or 0, label, size))
                continue
            if obj_id is None:
                videos[key]["tracked"] = False
                obj_id = untracked[entry["image_id"]] = untracked.get(entry["image_id"], 0) + 1
            shelf.put(key, frame, read_annotation(entry, obj_id, label, size, sources.notes, str(file)))


def track_id(entry: Mapping[str, Any]) -> int | None:
    """The identity of an annotation; CVAT keeps it among its attributes."""
    attributes = entry.get("attributes")
    told = entry.get("track_id", attributes.get("track_id") if isinstance(attributes, dict) else None)
    return None if told is None else whole(told, "track_id")


def _image(entry: Mapping[str, Any], file: Path, sources: Sources) -> _Image:
    """Read an image's entry; where it has no size, the picture beside the file tells."""
    name = str(entry["file_name"]) if "video" not in entry or "file_name" in entry else ""
    if "height" not in entry or "width" not in entry:
        size = sources.picture_size(file.parent, name)
    else:
        size = (whole(entry["height"], "height", 1), whole(entry["width"], "width", 1))
    time_s = float(entry["time_s"]) if "time_s" in entry else None
    if isinstance(entry.get("video"), str) and "source_frame" in entry:
        return _Image(entry["video"], "", name, size, whole(entry["source_frame"], "source_frame"), time_s)
    folder, stem = "/".join(path_parts(name)[:-1]), stem_of(name)
    key = video_of(f"{folder}/{stem}" if folder else stem)
    return _Image(key or "images", stem.rstrip("0123456789"), stem, size, None, time_s)


def _place(
    file: Path, images: Mapping[int, _Image], told: Mapping[str, Any], shelf: Shelf,
    videos: dict[str, dict[str, Any]], sources: Sources,
) -> dict[int, tuple[str, int]]:  # fmt: skip
    """Put down the frames of all images; of each image by id its video and source frame.

    Pictures of one video have one size and one pattern of names: others are a collection, sorted apart.
    """
    alike: dict[tuple[str, str, tuple[int, int]], str] = {}
    grouped: dict[str, list[int]] = {}
    for number, image in images.items():
        kind = (image.key, image.pattern, image.size)
        if kind not in alike:
            sized = image.key if image.key not in grouped else f"{image.key}-{image.size[1]}x{image.size[0]}"
            more = (f"{sized}-{number}" for number in count(2))
            alike[kind] = next(key for key in chain([sized], more) if key not in grouped)
        grouped.setdefault(alike[kind], []).append(number)
    placed: dict[int, tuple[str, int]] = {}
    for key, numbers in grouped.items():
        facts = told.get(key, {})
        for number, frame in _frames(f"{file}, {key}", key, numbers, images, facts, sources.of(len(grouped))).items():
            own, image = key, images[number]
            while shelf.has(own, frame):  # of another file, or another image of this number
                own = f"{own}-2"
            size = {"height": image.size[0], "width": image.size[1]}
            known = videos.setdefault(own, {**facts, **size, "tracked": True})
            fps = float(known.get("fps") or IMAGE_FOLDER_FPS)
            shelf.frame(own, frame, frame / fps if image.time_s is None else image.time_s)
            placed[number] = (own, frame)
    return placed


def _frames(
    where: str, key: str, numbers: Sequence[int], images: Mapping[int, _Image], facts: Mapping[str, Any],
    sources: Sources,
) -> dict[int, int]:  # fmt: skip
    """Source frames of the images of a video, by their ids."""
    if all(images[number].source_frame is not None for number in numbers):
        return {number: images[number].source_frame or 0 for number in numbers}
    ordered = sorted(numbers, key=lambda number: natural_key(images[number].stem))
    stems = [images[number].stem for number in ordered]
    frames = sources.source_frames(where, key.rpartition("/")[2], stems, facts.get("path"))
    return dict(zip(ordered, frames, strict=True))


def read_annotation(
    entry: Mapping[str, Any], obj_id: int, label: str, size: tuple[int, int], notes: Notes, where: str
) -> SeenObject:
    """An object from COCO's fields. Raises `ValueError` where its mask or box is none.

    Of several polygons those with fewer than three corners are noted and left out; where none is left, the box counts.
    """
    mask = _mask(entry, size, notes, where)
    box = box_from_xywh(entry["bbox"]) if mask is None or entry.get("bbox") else rle.box_xyxy(mask)
    name = entry.get("name")
    return SeenObject(
        obj_id, label, box, checked_score(entry.get("score")), mask, checked_score(entry.get("detection_score")),
        name if isinstance(name, str) else None,
    )  # fmt: skip


def _mask(entry: Mapping[str, Any], size: tuple[int, int], notes: Notes, where: str) -> rle.RLE | None:
    told = entry.get("segmentation")
    if not isinstance(told, list):
        return None if told is None else checked_rle(told, size)
    usable = [corners for corners in told if isinstance(corners, list) and len(corners) >= 6]
    if len(usable) == len(told):
        return polygons.fill(told, *size) if told else None
    if not usable and not entry.get("bbox"):
        raise ValueError("a polygon is x, y of three corners or more, and there is no bbox")
    kept = "the others are kept" if usable else "its bbox is taken"
    notes.add(f"{where}, annotation {entry.get('id')}", f"a polygon of fewer than three corners is left out; {kept}")
    return polygons.fill(usable, *size) if usable else None


def read_crowd(entry: Mapping[str, Any], obj_id: int, label: str, size: tuple[int, int]) -> Ignored:
    """What is not judged, from COCO's fields. Raises as `read_annotation`."""
    one = read_annotation(entry, obj_id, label, size, Notes(), "")
    rule = entry.get("ignored")
    return Ignored(rule if rule in _RULES else "crowd", label, one.box_xyxy, one.rle, obj_id)
