"""YouTube-VIS: COCO for video, an annotation each track with a mask or null for each frame (Yang et al., ICCV 2019).

    PART.json     JPEGImages/VIDEO/00123.jpg

Frames are named by their source frame. Beside the format's own fields videos have `fps`, `times_s` and `path`,
annotations `track_id`, `name`, `scores` and `detection_score`.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from core.formats.exchange.coco import annotation, annotation_files, categories, read_annotation
from core.formats.exchange.material import Format, Material
from core.formats.exchange.model import BadResults, SeenObject, VideoResults
from core.formats.exchange.parsing import checked_label, entries, frame_numbers, telling, whole
from core.formats.exchange.shelf import Shelf
from core.formats.exchange.sources import Sources
from core.masks import rle
from core.store.paths import distinct, slugify
from core.video.image_folder import IMAGE_FOLDER_FPS


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
        for obj_id, track in shelf.tracks(video.name):
            written += 1
            out.write(",\n" if written > 1 else "\n")
            positions = (frame for frame, _ in shelf.positions(video.name))
            told = {"id": written, "video_id": number, "track_id": obj_id}
            _write_track(out, told, _every(positions, track), video, material)
    out.write("\n]}\n")


def _about(number: int, part: str, video: VideoResults, shelf: Shelf) -> dict[str, Any]:
    positions = list(shelf.positions(video.name))
    return {
        "id": number,
        "name": video.name,
        "width": video.width,
        "height": video.height,
        "length": len(positions),
        "file_names": [picture(part, video.name, frame).removeprefix("JPEGImages/") for frame, _ in positions],
        "fps": video.fps,
        "times_s": [time_s for _, time_s in positions],
        "source_length": video.length,
        "path": video.path,
    }


def _every(positions: Iterator[int], track: Iterator[tuple[int, SeenObject]]) -> Iterator[SeenObject | None]:
    """A track on every frame of its video: None where it is not seen."""
    frame, seen = next(track, (-1, None))
    for position in positions:
        if position == frame:
            yield seen
            frame, seen = next(track, (-1, None))
        else:
            yield None


def _write_track(
    out: IO[str], told: dict[str, Any], track: Iterator[SeenObject | None], video: VideoResults, material: Material
) -> None:
    """Masks go straight into the file; boxes, areas and scores, which are short, are kept until they are done."""
    lists: dict[str, list[Any]] = {"bboxes": [], "areas": [], "scores": []}
    first: SeenObject | None = None
    out.write(_dump(told)[:-1] + ', "segmentations": [')
    for index, seen in enumerate(track):
        first = first or seen
        fields = {} if seen is None else annotation(seen, material.shape)
        out.write((", " if index else "") + _dump(_unpacked(fields.get("segmentation"))))
        for name, field in (("bboxes", "bbox"), ("areas", "area"), ("scores", "score")):
            lists[name].append(fields.get(field))
    if first is None:
        raise ValueError("a track has a sighting")
    scores = [score for score in lists["scores"] if score is not None]
    more = {
        "category_id": material.labels.index(first.label) + 1,
        "iscrowd": 0,
        "width": video.width,
        "height": video.height,
        "length": len(lists["bboxes"]),
        "score": sum(scores) / len(scores) if scores else 1.0,
        "detection_score": first.detection_score,
        "name": first.name,
    }
    out.write("], " + _dump({**lists, **more})[1:])


def _unpacked(mask: Any) -> Any:
    """Masks of this format's truth are lists of runs; its tools unpack no others."""
    if not isinstance(mask, dict):
        return mask
    return {"size": mask["size"], "counts": rle.runs({"size": mask["size"], "counts": mask["counts"]})}


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """See `Format.read`. One track at a time is held in memory."""
    del sources
    shelf = Shelf()
    videos: dict[str, Mapping[str, Any]] = {}
    for file in annotation_files(path):
        with telling(str(file)):
            _read_file(file, shelf, videos)
    names = distinct(slugify(str(entry["name"])) for entry in videos.values())
    return [_video(name, key, videos[key], shelf) for key, name in zip(videos, names, strict=True)]


def _video(name: str, key: str, entry: Mapping[str, Any], shelf: Shelf) -> VideoResults:
    shift = shelf.shift(key)
    return VideoResults(
        name=name,
        width=entry["width"],
        height=entry["height"],
        fps=entry["fps"],
        read=lambda: shelf.frames(key, shift),
        length=entry.get("source_length"),
        path=entry.get("path"),
    )


def _read_file(file: Path, shelf: Shelf, videos: dict[str, Mapping[str, Any]]) -> None:
    labels = {entry["id"]: checked_label(entry.get("name")) for entry in entries(file, "categories")}
    frames: dict[int, list[int]] = {}
    for entry in entries(file, "videos"):
        sizes = {side: whole(entry[side], side, 1) for side in ("width", "height")}
        fps = float(entry.get("fps") or IMAGE_FOLDER_FPS)
        name = entry.get("name") or (str(Path(entry["file_names"][0]).parent) if entry["file_names"] else entry["id"])
        key = f"{file.name} {entry['id']}"
        videos[key] = {**entry, **sizes, "fps": fps, "name": name}
        frames[entry["id"]] = frame_numbers([Path(name).stem for name in entry["file_names"]])
        times = entry.get("times_s") or [frame / fps for frame in frames[entry["id"]]]
        for frame, time_s in zip(frames[entry["id"]], times, strict=True):
            shelf.frame(key, frame, float(time_s))
    for entry in entries(file, "annotations"):
        if entry["video_id"] not in frames:
            raise BadResults(f"annotation {entry.get('id')}: no video {entry['video_id']}")
        if entry["category_id"] not in labels:
            raise BadResults(f"annotation {entry.get('id')}: no category {entry['category_id']}")
        with telling(f"annotation {entry.get('id')}"):
            key = f"{file.name} {entry['video_id']}"
            size = (videos[key]["height"], videos[key]["width"])
            for frame, moment in zip(frames[entry["video_id"]], _moments(entry), strict=True):
                if moment is not None:
                    obj_id = whole(entry.get("track_id", entry["id"]), "track_id")
                    shelf.put(key, frame, read_annotation(moment, obj_id, labels[entry["category_id"]], size))


def _moments(entry: Mapping[str, Any]) -> Iterator[dict[str, Any] | None]:
    """A track's fields frame by frame, as COCO has them."""
    masks = entry.get("segmentations") or []
    count = max(len(masks), len(entry.get("bboxes") or []))
    absent = [None] * count
    lists = [entry.get(name) or absent for name in ("segmentations", "bboxes", "scores")]
    same = {"detection_score": entry.get("detection_score"), "name": entry.get("name")}
    for mask, box, score in zip(*lists, strict=True):
        seen = mask is not None or box is not None
        yield {"segmentation": mask, "bbox": box, "score": score, **same} if seen else None


FORMAT = Format(
    "coco-video", "YouTube-VIS: one JSON, an annotation each track", ("mask", "polygon", "box"),
    "labels that change within a track; as polygons the holes of masks", write, read, picture,
)  # fmt: skip
