"""Detections that somebody else made of one video: a line for each frame with any, ascending.

    {"frame": 12, "objects": [[x0, y0, x1, y1, "label", 0.9], …]}

Boxes are in pixels of the source; a score may be null.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from core.formats.exchange.model import SeenFrame
from core.prompts import Detection
from core.store.atomic import atomic_file


def write_detections(path: Path, frames: Iterable[SeenFrame]) -> None:
    """Write a video's objects, whatever their ids, atomically."""
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as out:
        for frame in frames:
            objects = [[*one.box_xyxy, one.label, one.score] for one in frame.objects]
            if objects:
                out.write(json.dumps({"frame": frame.source_frame, "objects": objects}, ensure_ascii=False) + "\n")


def read_detections(path: Path) -> Iterator[tuple[int, list[Detection]]]:
    """Frame by frame, from a file that `write_detections` wrote."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            found = [Detection((x0, y0, x1, y1), label, score) for x0, y0, x1, y1, label, score in row["objects"]]
            yield row["frame"], found
