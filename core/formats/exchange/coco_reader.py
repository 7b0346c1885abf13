"""Reading COCO instances, ours and other people's: see `core.formats.exchange.coco`."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain, count, islice
from pathlib import Path, PurePath
from typing import Any, get_args

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
from core.store.paths import visible
from core.video.frame_names import FrameNumbers, stem_of, video_names
from core.video.image_file import natural_key
from core.video.image_folder import IMAGE_FOLDER_FPS
from core.video.video_paths import path_parts, short_names


def annotation_files(path: Path) -> list[Path]:
    """The JSON files of a COCO folder, or the file itself. Raises `BadResults` where there is none."""
    if path.is_file():
        return [path]
    patterns = ("annotations/*.json", "*.json", "*/_annotations.coco.json")  # the last: Roboflow
    found = [file for pattern in patterns for file in visible(path, pattern)]
    if not found:
        raise BadResults(f"{path}: no annotations/*.json in it")
    return [file for file in found if _has_objects(file)] or found  # captions and the like lie beside them


def _has_objects(file: Path) -> bool:
    with telling(str(file)):
        return any("category_id" in entry for entry in islice(entries(file, "annotations"), 1))


Videos = dict[str, dict[str, Any]]
"""What the file says of videos, by a key of the reader's own: see `_video`."""
ReadFile = Callable[[Path, Shelf, Videos, Sources, Lenient], None]


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """See `Format.read`. Images that do not name their video: by their names, as in `walk/000123.jpg`."""
    return read_files(path, sources, _read_file)


def read_files(path: Path, sources: Sources, read_file: ReadFile) -> list[VideoResults]:
    """The videos of all files of a COCO folder, each file put on a shelf by `read_file`. Raises `BadResults`."""
    shelf = Shelf()
    videos: Videos = {}
    lenient = Lenient(sources.notes)
    for file in annotation_files(path):
        with telling(str(file)):
            read_file(file, shelf, videos, sources, lenient)
    lenient.check()
    parts = [(*path_parts(str(one.get("path") or one["name"]))[:-1], one["title"]) for one in videos.values()]
    names = short_names(parts)
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
        place=path_parts(facts["name"]),
        by_number=facts["by_number"],
        origin=facts["origin"],
        tracked=facts["tracked"],
    )


@dataclass(frozen=True)
class _Image:
    """An image of a file: its name without ending, size (height, width), and where it names its video and frame."""

    name: str
    size: tuple[int, int]
    video: str | None = None
    source_frame: int | None = None
    time_s: float | None = None


def _read_file(file: Path, shelf: Shelf, videos: Videos, sources: Sources, lenient: Lenient) -> None:
    labels = {entry["id"]: checked_label(entry.get("name")) for entry in entries(file, "categories")}
    facts_of = {entry["name"]: entry for entry in entries(file, "videos") if isinstance(entry.get("name"), str)}
    listed: dict[int, _Image] = {}
    for entry in entries(file, "images"):
        number = entry.get("id")
        if number is not None and number in listed:
            raise BadResults(f"two images have the id {number}")
        with lenient.entry(f"{file}, image {number}", counts=False):
            listed[entry["id"]] = _image(entry, file, sources)
    images = _place(file, listed, facts_of, shelf, videos, sources)
    free = 1 + max((_known_id(entry) for entry in entries(file, "annotations")), default=0)
    untracked: Counter[int] = Counter()
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
                obj_id = free + untracked[entry["image_id"]]
                untracked[entry["image_id"]] += 1
            shelf.put(key, frame, read_annotation(entry, obj_id, label, size, sources.notes, str(file)))


def _known_id(entry: Mapping[str, Any]) -> int:
    try:
        return track_id(entry) or 0
    except ValueError:
        return 0  # noted when it is read


def track_id(entry: Mapping[str, Any]) -> int | None:
    """The identity of an annotation; CVAT keeps it among its attributes."""
    attributes = entry.get("attributes")
    track_id = entry.get("track_id", attributes.get("track_id") if isinstance(attributes, dict) else None)
    return None if track_id is None else whole(track_id, "track_id")


def _image(entry: Mapping[str, Any], file: Path, sources: Sources) -> _Image:
    """Read an image's entry; without a size in it, that of the picture beside the file counts."""
    name = str(entry["file_name"]) if "video" not in entry or "file_name" in entry else ""
    if "height" not in entry or "width" not in entry:
        size = sources.picture_size(file.parent, name)
    else:
        size = (whole(entry["height"], "height", 1), whole(entry["width"], "width", 1))
    stem = "/".join((*path_parts(name)[:-1], stem_of(name)))
    time_s = float(entry["time_s"]) if "time_s" in entry else None
    if isinstance(entry.get("video"), str) and "source_frame" in entry:
        return _Image(stem, size, entry["video"], whole(entry["source_frame"], "source_frame"), time_s)
    return _Image(stem, size, None, None, time_s)


def _grouped(images: Mapping[int, _Image]) -> dict[str, list[int]]:
    """The ids of images by video.

    Pictures of one video have one size and one pattern of names: others are a collection, sorted apart, whatever their
    order.
    """
    videos = dict(zip(images, video_names([image.name for image in images.values()]), strict=True))
    kinds: dict[str, dict[tuple[str, tuple[int, int]], list[int]]] = {}
    for number, image in images.items():
        key = image.video or videos[number].strip("/") or "images"
        pattern = "" if image.video is not None else image.name.rstrip("0123456789")
        kinds.setdefault(key, {}).setdefault((pattern, image.size), []).append(number)
    grouped: dict[str, list[int]] = {}
    for key, own in kinds.items():
        sizes = {size for _, size in own}
        for (_, size), numbers in sorted(own.items()):
            sized = key if len(sizes) == 1 else f"{key}-{size[1]}x{size[0]}"
            more = (f"{sized}-{number}" for number in count(2))
            grouped[next(name for name in chain([sized], more) if name not in grouped)] = numbers
    return grouped


def _place(
    file: Path, images: Mapping[int, _Image], facts_of: Mapping[str, Any], shelf: Shelf,
    videos: Videos, sources: Sources,
) -> dict[int, tuple[str, int]]:  # fmt: skip
    """Put down the frames of all images; of each image by id its video and source frame."""
    placed: dict[int, tuple[str, int]] = {}
    grouped = _grouped(images)
    ordered = {key: sorted(own, key=lambda n: natural_key(images[n].name)) for key, own in grouped.items()}
    sources = sources.of(len(grouped)).over([stem_of(images[n].name) for n in own] for own in ordered.values())
    for key, numbers in ordered.items():
        facts = facts_of.get(key, {})
        exact = all(images[number].source_frame is not None for number in numbers)
        if exact:
            frames = FrameNumbers([images[number].source_frame or 0 for number in numbers])
        else:
            stems = [PurePath(images[number].name).name for number in numbers]
            frames = sources.source_frames(f"{file}, {key}", path_parts(key)[-1], stems, facts.get("path") or key)
        for number, frame in zip(numbers, frames.frames, strict=True):
            own, image = key, images[number]
            while shelf.has(own, frame):  # of another file
                own = f"{own}-2"
            size = {"height": image.size[0], "width": image.size[1]}
            called = {"name": own, "title": own.rpartition("/")[2]}
            more = {"tracked": True, "by_number": not exact, "origin": frames.origin}
            known = videos.setdefault(own, {**facts, **size, **called, **more})
            fps = float(known.get("fps") or IMAGE_FOLDER_FPS)
            shelf.frame(own, frame, frame / fps if image.time_s is None else image.time_s)
            placed[number] = (own, frame)
    return placed


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
    segmentation = entry.get("segmentation")
    if not isinstance(segmentation, list):
        return None if segmentation is None else checked_rle(segmentation, size)
    usable = [corners for corners in segmentation if isinstance(corners, list) and len(corners) >= 6]
    if len(usable) == len(segmentation):
        return polygons.fill(segmentation, *size) if segmentation else None
    if not usable and not entry.get("bbox"):
        raise ValueError("a polygon is x, y of three corners or more, and there is no bbox")
    kept = "the others are kept" if usable else "its bbox is taken"
    notes.add(f"{where}, annotation {entry.get('id')}", f"a polygon of fewer than three corners is left out; {kept}")
    return polygons.fill(usable, *size) if usable else None


def read_crowd(entry: Mapping[str, Any], obj_id: int, label: str, size: tuple[int, int]) -> Ignored:
    """What is not judged, from COCO's fields. Raises as `read_annotation`."""
    one = read_annotation(entry, obj_id, label, size, Notes(), "")
    rule: Rule = entry["ignored"] if entry.get("ignored") in get_args(Rule) else "crowd"
    return Ignored(rule, label, one.box_xyxy, one.rle, obj_id)
