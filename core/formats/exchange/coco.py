"""COCO: an image each frame, all annotations in one JSON (Lin et al., ECCV 2014).

    annotations/instances_PART.json     images/VIDEO/000123.jpg

Beside COCO's own fields, images have `video`, `source_frame` and `time_s`, and annotations `track_id`, `score`,
`detection_score`, `name`, so that nothing is lost; other readers pass over them.
"""

import json
import tempfile
from pathlib import Path
from typing import IO, Any, get_args

from core.formats.exchange.coco_reader import read
from core.formats.exchange.material import Format, Material, Shape
from core.formats.exchange.model import Ignored, Rule, SeenObject
from core.masks import polygons, rle
from core.masks.boxes import xywh


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
            fields = [(one.label, annotation(one, material.shape)) for one in frame.objects]
            fields += [(one.label, crowd(one, material.shape)) for one in frame.ignored]
            for label, own in fields:
                annotations += 1
                entry = {"id": annotations, "image_id": images, "category_id": numbers.get(label, 1)}
                later.write((",\n" if annotations > 1 else "\n") + _dump({**entry, **own}))
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
    x, y, width, height = xywh(one.box_xyxy)
    entry: dict[str, Any] = {"bbox": [x, y, width, height], "area": width * height, "iscrowd": 0}
    if shape != "box" and one.rle is not None:
        entry["area"] = rle.area(one.rle)
        entry["segmentation"] = one.rle if shape == "mask" else polygons.outlines(rle.decode(one.rle))
    more = {"score": one.score, "detection_score": one.detection_score, "name": one.name}
    return {**entry, "track_id": one.obj_id, **{name: value for name, value in more.items() if value is not None}}


def crowd(one: Ignored, shape: Shape) -> dict[str, Any]:
    """COCO's fields of what is not judged; `ignored` is ours, where it is no crowd."""
    entry = annotation(SeenObject(one.obj_id, one.label, one.box_xyxy, rle=one.rle), shape) | {"iscrowd": 1}
    if isinstance(entry.get("segmentation"), list):
        entry["segmentation"] = one.rle  # COCO's crowds are always RLE
    del entry["track_id"]
    rule = {} if one.rule == "crowd" else {"ignored": one.rule}
    return {**entry, **({"track_id": one.obj_id} if one.obj_id else {}), **rule}


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


FORMAT = Format(
    "coco", "COCO instances: one JSON, an image each frame", ("mask", "polygon", "box"),
    "nothing as masks; as polygons the holes of masks", write, read, picture,
    marks=get_args(Rule),
)  # fmt: skip
