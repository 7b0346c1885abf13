"""`results.jsonl`: one line per video in either documented shape, assembled from tracked videos' folders.

*frames*: `{video_path, text_prompt, video_info, frames: [{frame_idx, source_frame, time_s, objects: [...]}]}`
*objects*: `{video_path, text_prompt, video_info, objects: [{obj_id, label, score, frames: [...]}]}`

Both are written piece by piece, so that an hour of video never stands in memory as a whole.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Literal

from core.formats.tracks import FrameRecord, ObjectRecord, read_frames, read_head
from core.store.atomic import atomic_file

Schema = Literal["frames", "objects"]
_SPOOL_BYTES = 2**16


@dataclass(frozen=True)
class TrackedVideo:
    """A video as the list names it, and the folder its tracks are in."""

    video_path: str
    text_prompt: str | None
    folder: Path


def write_results(path: Path, videos: Iterable[TrackedVideo], schema: Schema, masks: bool) -> None:
    """Assemble the JSONL atomically, in the order given; the same videos give the same bytes.

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
            head = {
                "video_path": video.video_path,
                "text_prompt": video.text_prompt,
                "video_info": read_head(video.folder).model_dump(),
            }
            out.write(_dump(head)[:-1])
            if schema == "frames":
                _write_frames(out, video.folder, masks)
            else:
                _write_objects(out, video.folder, masks)
            out.write("}\n")


def read_results(path: Path) -> Iterator[dict[str, Any]]:
    """The videos of a results file, one line in memory at a time."""
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def _write_frames(out: IO[str], folder: Path, masks: bool) -> None:
    out.write(', "frames": [')
    for index, frame in enumerate(read_frames(folder)):
        objects = [
            {
                "obj_id": one.obj_id,
                "bbox": one.bbox,
                "label": one.label,
                "score": one.score,
                "detection_score": one.detection_score,
                **_mask(one, masks),
            }
            for one in frame.objects
        ]
        out.write((", " if index else "") + _dump({**_moment(frame), "objects": objects}))
    out.write("]")


def _write_objects(out: IO[str], folder: Path, masks: bool) -> None:
    """Group by object: each object's frames go to a spool of their own (on disk once it has grown) first."""
    heads: dict[int, dict[str, Any]] = {}
    spools: dict[int, IO[str]] = {}
    with ExitStack() as stack:
        for frame in read_frames(folder):
            for one in frame.objects:
                if one.obj_id not in spools:
                    spools[one.obj_id] = stack.enter_context(
                        SpooledTemporaryFile(_SPOOL_BYTES, "w+", encoding="utf-8", newline="\n")
                    )
                    heads[one.obj_id] = {"obj_id": one.obj_id, "label": one.label, "score": one.detection_score}
                else:
                    spools[one.obj_id].write(", ")
                moment = {**_moment(frame), "bbox": one.bbox, "score": one.score, **_mask(one, masks)}
                spools[one.obj_id].write(_dump(moment))
        out.write(', "objects": [')
        for index, obj_id in enumerate(sorted(spools)):
            out.write((", " if index else "") + _dump(heads[obj_id])[:-1] + ', "frames": [')
            spools[obj_id].seek(0)
            while chunk := spools[obj_id].read(_SPOOL_BYTES):
                out.write(chunk)
            out.write("]}")
        out.write("]")


def _moment(frame: FrameRecord) -> dict[str, Any]:
    return {"frame_idx": frame.frame_idx, "source_frame": frame.source_frame, "time_s": frame.time_s}


def _mask(one: ObjectRecord, masks: bool) -> dict[str, Any]:
    return {"segmentation": one.rle} if masks else {}
