"""`results_objects.csv`: one line for each object of each video, for a spreadsheet."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from core.store.atomic import write_text

_HEADS = (
    "video", "obj_id", "label", "first_frame", "last_frame", "first_s", "last_s", "frames", "mean_score",
    "detection_score",
)  # fmt: skip


class TrackedObject(BaseModel):
    """An object of a video, from its first sight to its last.

    Attributes:
        first_frame: of the source; `first_s`: when it is shown; likewise the last.
        frames: on which it was seen.
        mean_score: of its masks.
        detection_score: how sure the detector was at first sight.
    """

    model_config = ConfigDict(extra="forbid")
    obj_id: int
    label: str | None
    first_frame: int
    last_frame: int
    first_s: float
    last_s: float
    frames: int
    mean_score: float
    detection_score: float | None


def write_objects(path: Path, videos: Iterable[tuple[str, Iterable[TrackedObject]]]) -> None:
    """Write the table atomically: videos in their order, objects by their numbers."""
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(_HEADS)
    for video, objects in videos:
        for one in sorted(objects, key=lambda o: o.obj_id):
            known = {name: round(value, 4) if isinstance(value, float) else value for name, value in one}
            rows.writerow([video, *("" if known[head] is None else known[head] for head in _HEADS[1:])])
    write_text(path, table.getvalue())
