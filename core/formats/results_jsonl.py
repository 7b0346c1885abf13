"""`results.jsonl`: one line per video in either documented shape. It is read by `core.formats.exchange.results_lines`.

*frames*: `{video_path, text_prompt, video_info, frames: [{frame_idx, source_frame, time_s, objects: [...]}]}`
*objects*: `{video_path, text_prompt, video_info, objects: [{obj_id, label, score, frames: [...]}]}`

Where they were drawn, `annotated_video` and `recording` come before `video_info`: their paths. `shots` comes after it:
`[{first_frame, last_frame, first_s, last_s}]`, by frames of the source.

Both are written piece by piece, so that an hour of video never stands in memory as a whole.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import MappingProxyType
from typing import IO, Any, Literal

from core.formats.tracks import VideoHead, read_frames, read_head
from core.masks.rle import RLE
from core.store.atomic import atomic_file

Schema = Literal["frames", "objects"]
_SPOOL_BYTES = 2**16
_LONGEST_HEAD = 2**16
_HEAD = re.compile(rb'\s*\{"video_path": ("(?:[^"\\]|\\.)*"), "text_prompt": (null|"(?:[^"\\]|\\.)*")')


@dataclass(frozen=True)
class TrackedVideo:
    """A video as the list names it, the folder its tracks are in, and files that were drawn of it, by what they are."""

    video_path: str
    text_prompt: str | None
    folder: Path
    drawn: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LineObject:
    """An object on a frame, as a line has it: `bbox` is documented `[x, y, w, h]`; without `mask` none is written."""

    obj_id: int
    bbox: Sequence[int]
    label: str | None
    score: float | None
    detection_score: float | None
    mask: RLE | None


@dataclass(frozen=True, slots=True)
class LineFrame:
    """A frame of a line."""

    source_frame: int
    time_s: float
    objects: Sequence[LineObject]


def write_results(path: Path, videos: Iterable[TrackedVideo], schema: Schema, masks: bool) -> None:
    """Assemble the JSONL atomically from tracked videos, in the order given; the same videos give the same bytes.

    Args:
        path: the file to make.
        videos: in list order.
        schema: which of the two documented shapes.
        masks: whether each box comes with its COCO RLE.
    """
    # What of a file's name is no valid UTF-8 is written as JSON's own escapes.
    with (
        atomic_file(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as out,
    ):
        for video in videos:
            frames = _tracked_frames(video.folder, masks)
            write_line(out, video.video_path, video.text_prompt, read_head(video.folder), frames, schema, video.drawn)


@dataclass(frozen=True)
class ResultsHead:
    """What the first line of a results file begins with."""

    video_path: str
    text_prompt: str | None


def head_of_results(path: Path) -> ResultsHead | None:
    """Of a file that `write_results` wrote; None where there is no such file."""
    try:
        with path.open("rb") as file:
            head = _HEAD.match(file.read(_LONGEST_HEAD))
        return None if head is None else ResultsHead(json.loads(head[1]), json.loads(head[2]))
    except (OSError, ValueError):
        return None


def _tracked_frames(folder: Path, masks: bool) -> Iterator[LineFrame]:
    for frame in read_frames(folder):
        objects = [
            LineObject(one.obj_id, one.bbox, one.label, one.score, one.detection_score, one.rle if masks else None)
            for one in frame.objects
        ]
        yield LineFrame(frame.source_frame, frame.time_s, objects)


def write_line(
    out: IO[str],
    video_path: str,
    text_prompt: str | None,
    head: VideoHead,
    frames: Iterable[LineFrame],
    schema: Schema,
    drawn: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write the line of one video; `frames` are taken one at a time."""
    info = head.model_dump(exclude={"shots"})
    shots = {"shots": [shot.model_dump() for shot in head.shots]} if head.shots else {}
    fields = {"video_path": video_path, "text_prompt": text_prompt, **drawn, "video_info": info, **shots}
    out.write(_dump(fields)[:-1])
    if schema == "frames":
        _write_frames(out, frames)
    else:
        _write_objects(out, frames)
    out.write("}\n")


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def _write_frames(out: IO[str], frames: Iterable[LineFrame]) -> None:
    out.write(', "frames": [')
    for index, frame in enumerate(frames):
        objects = [
            {
                "obj_id": one.obj_id,
                "bbox": one.bbox,
                "label": one.label,
                "score": one.score,
                "detection_score": one.detection_score,
                **_mask(one),
            }
            for one in frame.objects
        ]
        out.write((", " if index else "") + _dump({**_moment(index, frame), "objects": objects}))
    out.write("]")


def _write_objects(out: IO[str], frames: Iterable[LineFrame]) -> None:
    """Group by object: each object's frames go to a spool of their own (on disk once it has grown) first."""
    heads: dict[int, dict[str, Any]] = {}
    spools: dict[int, IO[str]] = {}
    with ExitStack() as stack:
        for index, frame in enumerate(frames):
            for one in frame.objects:
                if one.obj_id not in spools:
                    spools[one.obj_id] = stack.enter_context(
                        SpooledTemporaryFile(_SPOOL_BYTES, "w+", encoding="utf-8", newline="\n")
                    )
                    heads[one.obj_id] = {"obj_id": one.obj_id, "label": one.label, "score": one.detection_score}
                else:
                    spools[one.obj_id].write(", ")
                moment = {**_moment(index, frame), "bbox": one.bbox, "score": one.score, **_mask(one)}
                spools[one.obj_id].write(_dump(moment))
        out.write(', "objects": [')
        for index, obj_id in enumerate(sorted(spools)):
            out.write((", " if index else "") + _dump(heads[obj_id])[:-1] + ', "frames": [')
            spools[obj_id].seek(0)
            while chunk := spools[obj_id].read(_SPOOL_BYTES):
                out.write(chunk)
            out.write("]}")
        out.write("]")


def _moment(index: int, frame: LineFrame) -> dict[str, Any]:
    return {"frame_idx": index, "source_frame": frame.source_frame, "time_s": frame.time_s}


def _mask(one: LineObject) -> dict[str, Any]:
    return {} if one.mask is None else {"segmentation": one.mask}
