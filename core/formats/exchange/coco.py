"""COCO: an image each frame, all annotations in one JSON (Lin et al., ECCV 2014).

    annotations/instances_PART.json     images/VIDEO/000123.jpg

Beside COCO's own fields, images have `video`, `source_frame` and `time_s`, and annotations `track_id`, `score`,
`detection_score`, `name`, so that nothing is lost; other readers pass over them.
"""

import json
import re
import tempfile
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import IO, Any

from core.formats.exchange.material import Format, Material, Shape
from core.formats.exchange.model import BadResults, SeenObject, VideoResults
from core.formats.exchange.parsing import (
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
from core.store.paths import distinct, slugify, visible
from core.video.image_folder import IMAGE_FOLDER_FPS

_FRAME = re.compile(r"(?:(?P<video>.*?)[/_-])?(?:frame[_-]?)?(?P<frame>\d+)$")


def picture(part: str, video: str, frame: int) -> str:
    """See `Format.picture`."""
    del part
    return f"images/{video}/{frame:06}.jpg"


def write(root: Path, material: Material) -> None:
    """See `Format.write`."""
    (root / "annotations").mkdir()
    for part in material.parts:
        path = root / "annotations" / f"instances_{part}.json"
        with path.open("w", encoding="utf-8", newline="\n") as out, tempfile.TemporaryFile("w+") as later:
            _write_part(out, later, part, material)


def _write_part(out: IO[str], later: IO[str], part: str, material: Material) -> None:
    """Images go straight into the file, annotations to `later` first, so that neither stands in memory."""
    numbers = {label: number for number, label in enumerate(material.labels, 1)}
    videos = []
    images = annotations = 0
    out.write('{"info": {"description": "made by maskflow"}, "licenses": [], "images": [')
    for number, video in enumerate(material.parts[part], 1):
        videos.append({"id": number, "name": video.name, "fps": video.fps, "length": video.length, "path": video.path})
        for frame in video.read():
            images += 1
            image = {
                "id": images,
                "file_name": picture(part, video.name, frame.source_frame).removeprefix("images/"),
                "width": video.width,
                "height": video.height,
                "video": video.name,
                "video_id": number,
                "source_frame": frame.source_frame,
                "time_s": frame.time_s,
            }
            out.write((",\n" if images > 1 else "\n") + _dump(image))
            for one in frame.objects:
                annotations += 1
                told = {"id": annotations, "image_id": images, "category_id": numbers[one.label]}
                later.write((",\n" if annotations > 1 else "\n") + _dump({**told, **annotation(one, material.shape)}))
    out.write('\n], "annotations": [')
    later.seek(0)
    while chunk := later.read(2**20):
        out.write(chunk)
    out.write('\n], "categories": ' + _dump(categories(material)) + ', "videos": ' + _dump(videos) + "}\n")


def categories(material: Material) -> list[dict[str, Any]]:
    """The labels as COCO's categories, numbered from 1."""
    return [{"id": n, "name": label, "supercategory": ""} for n, label in enumerate(material.labels, 1)]


def annotation(one: SeenObject, shape: Shape) -> dict[str, Any]:
    """COCO's fields of an object, without ids and category."""
    x0, y0, x1, y1 = one.box_xyxy
    told: dict[str, Any] = {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0), "iscrowd": 0}
    if shape != "box" and one.rle is not None:
        told["area"] = rle.area(one.rle)
        told["segmentation"] = one.rle if shape == "mask" else polygons.outlines(rle.decode(one.rle))
    more = {"score": one.score, "detection_score": one.detection_score, "name": one.name}
    return {**told, "track_id": one.obj_id, **{name: value for name, value in more.items() if value is not None}}


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


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
    del sources
    shelf = Shelf()
    videos: dict[str, dict[str, Any]] = {}
    for file in annotation_files(path):
        with telling(str(file)):
            _read_file(file, shelf, videos)
    names = dict(zip(videos, distinct(slugify(name) for name in videos), strict=True))
    return [_video(names[key], key, facts, shelf) for key, facts in videos.items()]


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
        tracked=facts["tracked"],
    )


def _read_file(file: Path, shelf: Shelf, videos: dict[str, dict[str, Any]]) -> None:
    labels = {entry["id"]: checked_label(entry.get("name")) for entry in entries(file, "categories")}
    told = {entry["name"]: entry for entry in entries(file, "videos") if isinstance(entry.get("name"), str)}
    images: dict[int, tuple[str, int]] = {}
    for entry in entries(file, "images"):
        if entry["id"] in images:
            raise BadResults(f"two images have the id {entry['id']}")
        images[entry["id"]] = _put_image(entry, len(images), told, shelf, videos)
    untracked: dict[int, int] = {}
    for entry in entries(file, "annotations"):
        if entry["image_id"] not in images:
            raise BadResults(f"annotation {entry.get('id')}: no image {entry['image_id']}")
        if entry["category_id"] not in labels:
            raise BadResults(f"annotation {entry.get('id')}: no category {entry['category_id']}")
        key, frame = images[entry["image_id"]]
        obj_id = entry.get("track_id")
        if obj_id is None:
            videos[key]["tracked"] = False
            obj_id = untracked[entry["image_id"]] = untracked.get(entry["image_id"], 0) + 1
        size = (videos[key]["height"], videos[key]["width"])
        with telling(f"annotation {entry.get('id')}"):
            one = read_annotation(entry, whole(obj_id, "track_id"), labels[entry["category_id"]], size)
            shelf.put(key, frame, one)


def _put_image(
    entry: Mapping[str, Any], place: int, told: Mapping[str, Any], shelf: Shelf, videos: dict[str, dict[str, Any]]
) -> tuple[str, int]:
    """Put an image's frame down: of what video it is, and which frame.

    Pictures of one video have one size, and no two the same number: others are a collection, sorted apart.
    """
    size = (whole(entry["height"], "height", 1), whole(entry["width"], "width", 1))
    key, frame = _place(entry, place)
    if key in videos and (videos[key]["height"], videos[key]["width"]) != size:
        key = f"{key}-{size[1]}x{size[0]}"
    while shelf.has(key, frame):
        key = f"{key}-2"
    facts = videos.setdefault(key, {**told.get(key, {}), "height": size[0], "width": size[1], "tracked": True})
    fps = facts.get("fps") or IMAGE_FOLDER_FPS
    shelf.frame(key, frame, float(entry.get("time_s", frame / float(fps))))
    return key, frame


def _place(entry: Mapping[str, Any], otherwise: int) -> tuple[str, int]:
    """Of what video an image is, and which frame, by what it tells or by its name."""
    if isinstance(entry.get("video"), str) and "source_frame" in entry:
        return entry["video"], whole(entry["source_frame"], "source_frame")
    match = _FRAME.match(str(Path(str(entry["file_name"])).with_suffix("")))
    return ((match["video"] or "images"), int(match["frame"])) if match else ("images", otherwise)


def read_annotation(entry: Mapping[str, Any], obj_id: int, label: str, size: tuple[int, int]) -> SeenObject:
    """An object from COCO's fields. Raises `ValueError` where its mask or box is none."""
    told = entry.get("segmentation")
    if isinstance(told, list):
        mask = polygons.fill(told, *size) if told else None
    else:
        mask = None if told is None else checked_rle(told, size)
    box = box_from_xywh(entry["bbox"]) if mask is None or entry.get("bbox") else rle.box_xyxy(mask)
    name = entry.get("name")
    return SeenObject(
        obj_id, label, box, checked_score(entry.get("score")), mask, checked_score(entry.get("detection_score")),
        name if isinstance(name, str) else None,
    )  # fmt: skip


FORMAT = Format(
    "coco", "COCO instances: one JSON, an image each frame", ("mask", "polygon", "box"),
    "nothing as masks; as polygons the holes of masks", write, read, picture,
)  # fmt: skip
