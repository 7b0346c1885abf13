"""`dense_annotations_{video_id}.jsonl`: one line per annotated frame, ascending, each frame once.

    {"frame_number": 30, "objects": [{"assoc_id": "…", "assoc_name": "mug", "bbox": [x0, y0, x1, y1], …}]}

`bbox` is in pixels of the source, upper edges exclusive. Only frames with an object have a line.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import BadMedia
from core.masks.rle import RLE
from core.validation import expected


class DenseObject(BaseModel):
    """An object on one frame.

    Attributes:
        assoc_id: its identity in the annotations; for objects found by a text prompt a number.
        assoc_name: what it is called.
        bbox: xyxy.
        score: how sure the segmenter is, 0..1.
        source: an annotation (or detection) on this very frame, or propagated from one.
        window: which window it is from; None where windows are carried on and it does not matter.
        prompt_distance_s: seconds to the annotation or detection that it goes back to.
        segmentation: COCO RLE of the whole picture, where masks were requested.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    assoc_id: str
    assoc_name: str
    bbox: tuple[float, float, float, float]
    score: float
    source: Literal["prompt", "propagated"]
    window: int | None
    prompt_distance_s: float
    segmentation: RLE | None = None


class DenseFrame(BaseModel):
    """One line."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    frame_number: int
    objects: list[DenseObject]


def dense_line(frame: DenseFrame) -> str:
    """The line of a frame."""
    bare = all(one.segmentation is None for one in frame.objects)
    return frame.model_dump_json(exclude={"objects": {"__all__": {"segmentation"}}} if bare else None) + "\n"


def read_dense(path: Path) -> Iterator[DenseFrame]:
    """The frames of such a file, one in memory at a time.

    Raises:
        BadMedia: a line is cut short, of another form, or not after the one before; the message says which.
    """
    last = -1
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            where = f"{path}, line {number}"
            if not line.endswith(b"\n"):
                raise BadMedia(f"{where}: cut short (no end of line): write or copy the file again")
            try:
                frame = DenseFrame.model_validate_json(line)
            except ValidationError as error:
                first = error.errors()[0]
                place = " / ".join(str(part) for part in first["loc"])
                raise BadMedia(f"{where}: not a line of annotations: {place}: {expected(first)}") from None
            if frame.frame_number <= last:
                raise BadMedia(f"{where}: frame {frame.frame_number} after frame {last}")
            last = frame.frame_number
            yield frame
