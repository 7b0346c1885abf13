"""`results.jsonl` of `track_videos`, both documented shapes, as neutral results: see `core.formats.results_jsonl`.

*frames* holds everything. *objects* names neither frames on which nothing was found, nor their order of objects.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ijson

from core.formats.exchange.material import Format, Material
from core.formats.exchange.model import BadResults, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.parsing import (
    Part,
    box_from_xywh,
    checked_label,
    checked_rle,
    checked_score,
    telling,
    whole,
)
from core.formats.exchange.shelf import Shelf
from core.formats.exchange.sources import Sources
from core.formats.results_jsonl import LineFrame, LineObject, Schema, write_line
from core.formats.tracks import Shot, VideoHead
from core.masks.boxes import documented_xywh
from core.store.paths import visible
from core.store.shallow_json import json_items, parse_json
from core.video.video_paths import path_parts, short_names

RESULTS = "results.jsonl"
_READ_BYTES = 2**20


@dataclass(frozen=True)
class _Line:
    """A line of the file: its number from 1, and where its bytes are."""

    path: Path
    number: int
    start: int
    end: int

    @property
    def where(self) -> str:
        return f"{self.path}, line {self.number}"


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """The videos of a results file, of a run's folder (`results.jsonl`), or of all results files in a folder.

    Raises `BadResults` for a line that is cut short or of another form.
    """
    del sources  # the file holds all
    files = [path] if path.is_file() else [p for p in [path / RESULTS] if p.is_file()]
    lines = [(line, *_head(line)) for file in files or visible(path, "*.jsonl") for line in _lines(file)]
    names = short_names([path_parts(head["video_path"]) for _, head, _ in lines])
    videos = []
    for name, (line, head, schema) in zip(names, lines, strict=True):
        with telling(line.where):
            videos.append(_video(line, name, head, schema))
    return videos


def _video(line: _Line, name: str, head: dict[str, Any], schema: Schema) -> VideoResults:
    info = VideoHead.model_validate(head["video_info"])
    by_frame = _frames if schema == "frames" else _objects
    return VideoResults(
        name=name,
        width=info.width,
        height=info.height,
        fps=info.original_fps,
        read=lambda: by_frame(line, (info.height, info.width)),
        length=info.total_frames,
        path=head["video_path"],
        text_prompt=head.get("text_prompt"),
        process_fps=info.process_fps,
        complete=schema == "frames",
        cuts=frozenset(Shot.model_validate(shot).first_frame for shot in head.get("shots", ())[1:]),
    )


def _lines(path: Path) -> Iterator[_Line]:
    """Where lines begin and end. The last one must be whole: a line is one JSON object."""
    end = number = 0
    with path.open("rb") as stream:
        while chunk := stream.readline(_READ_BYTES):
            number, start, end = number + 1, end, end + len(chunk)
            while not chunk.endswith(b"\n") and (more := stream.readline(_READ_BYTES)):
                chunk, end = chunk[-2:] + more, end + len(more)
            line = _Line(path, number, start, end)
            if not chunk.strip() and end - start == len(chunk):
                continue  # an empty line
            if not chunk.rstrip().endswith(b"}"):
                raise BadResults(f"{line.where}: cut short (it does not end with }}): write or copy the file again")
            yield line


def _head(line: _Line) -> tuple[dict[str, Any], Schema]:
    """What stands in a line before its frames, and which shape it has."""
    builder = ijson.ObjectBuilder()
    with telling(line.where), line.path.open("rb") as stream:
        for prefix, event, value in parse_json(Part(stream, line.start, line.end)):
            if prefix in ("frames", "objects") and event == "start_array":
                VideoHead.model_validate(builder.value["video_info"])
                if not isinstance(builder.value["video_path"], str):
                    raise BadResults("video_path is text")
                return builder.value, "frames" if prefix == "frames" else "objects"
            builder.event(event, value)
    keys = ", ".join(builder.value) if isinstance(builder.value, dict) else ""
    raise BadResults(f"{line.where}: unknown schema: neither frames nor objects, only {keys or 'nothing'}")


def _frames(line: _Line, size: tuple[int, int]) -> Iterator[SeenFrame]:
    with telling(line.where), line.path.open("rb") as stream:
        last = -1
        for entry in json_items(Part(stream, line.start, line.end), "frames.item"):
            frame = whole(entry["source_frame"], "source_frame")
            if frame <= last:
                raise BadResults(f"frame {frame} after frame {last}")
            last = frame
            objects = tuple(_seen(one, one, size) for one in entry["objects"])
            if len({one.obj_id for one in objects}) < len(objects):
                raise BadResults(f"frame {frame}: two objects of one id")
            yield SeenFrame(frame, float(entry["time_s"]), objects)


def _objects(line: _Line, size: tuple[int, int]) -> Iterator[SeenFrame]:
    """The same from the shape by object: laid out on disk, then taken up by frame."""
    shelf = Shelf()
    with telling(line.where), line.path.open("rb") as stream:
        head: dict[str, Any] = {}
        builder: ijson.ObjectBuilder | None = None
        for prefix, event, value in parse_json(Part(stream, line.start, line.end)):
            if prefix == "objects.item" and event == "start_map":
                head = {}
            elif prefix == "objects.item.frames.item" and event == "start_map":
                builder = ijson.ObjectBuilder()
            elif builder is None and prefix.count(".") == 2 and event in ("string", "number", "null"):
                head[prefix.rpartition(".")[2]] = value
            if builder is not None:
                builder.event(event, value)
                if prefix == "objects.item.frames.item" and event == "end_map":
                    _put(shelf, head, builder.value, size)
                    builder = None
    yield from shelf.frames("")


def _put(shelf: Shelf, head: Mapping[str, Any], moment: Mapping[str, Any], size: tuple[int, int]) -> None:
    frame = whole(moment["source_frame"], "source_frame")
    shelf.frame("", frame, float(moment["time_s"]))
    same = {"obj_id": head["obj_id"], "label": head.get("label"), "detection_score": head.get("score")}
    shelf.put("", frame, _seen(same, moment, size))


def _seen(same: Mapping[str, Any], here: Mapping[str, Any], size: tuple[int, int]) -> SeenObject:
    """An object from what holds on all its frames, and what holds on this one."""
    mask = checked_rle(here["segmentation"], size) if here.get("segmentation") else None
    x, y, width, height = here["bbox"]
    return SeenObject(
        whole(same["obj_id"], "obj_id", 1),
        checked_label(same.get("label")),
        box_from_xywh([x, y, width + 1, height + 1]),  # documented: w = xmax - xmin
        checked_score(here.get("score")),
        mask,
        checked_score(same.get("detection_score")),
    )


def write(path: Path, videos: Sequence[VideoResults], schema: Schema = "frames") -> None:
    """Write videos as results, frame by frame; labels `object` stay what they are.

    Args:
        path: the file to make; an existing one is replaced.
        videos: in the order of the lines.
        schema: which of the two documented shapes.
    """
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for video in videos:
            span = _Span()
            frames = span.watch(video.read())
            if video.process_fps is None or video.length is None:  # the frames say it, and come after the head
                shelf = Shelf()
                shelf.put_frames("", frames)
                frames = shelf.frames("")
            head = _line_head(video, span)
            write_line(out, video.path or video.name, video.text_prompt, head, map(_line_frame, frames), schema)


class _Span:
    """What the head of a line says of its frames."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._count = 0
        self.length = 0

    def watch(self, frames: Iterator[SeenFrame]) -> Iterator[SeenFrame]:
        for frame in frames:
            self._times = [*self._times[:1], frame.time_s]
            self._count += 1
            self.length = frame.source_frame + 1
            yield frame

    def rate(self, otherwise: float) -> float:
        span_s = self._times[-1] - self._times[0] if self._times else 0.0
        return (self._count - 1) / span_s if span_s > 0 else otherwise


def _line_head(video: VideoResults, span: _Span) -> VideoHead:
    return VideoHead(
        width=video.width,
        height=video.height,
        original_fps=video.fps,
        process_fps=video.process_fps or round(span.rate(video.fps), 6),
        total_frames=video.length or span.length,
    )


def _line_frame(frame: SeenFrame) -> LineFrame:
    objects = [
        LineObject(o.obj_id, documented_xywh(o.box_xyxy), o.label, o.score, o.detection_score, o.rle)
        for o in frame.objects
    ]
    return LineFrame(frame.source_frame, frame.time_s, objects)


def _write_parts(root: Path, material: Material) -> None:
    for part, videos in material.parts.items():
        write(root / (f"{part}.jsonl" if len(material.parts) > 1 else RESULTS), videos)


FORMAT = Format(
    "results", "results.jsonl as track-videos writes it, by frame", ("mask", "box"),
    "fractions of pixels in boxes; names of objects; what is not judged", _write_parts, read,
)  # fmt: skip
