"""The work of items that make recordings: of a batch, and of the scene with all batches of all instances. They run in
device workers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from core.formats.rerun_points import batch_entity, record_points
from core.formats.tracked_npz import read_tracked
from core.points.settings import (
    BATCH_RECORDING,
    COMBINED,
    REFINED_FILE,
    TRACKED_FILE,
    RecordBatchRequest,
    RecordRequest,
)
from core.points.track_item import open_view


def record_one(request: dict[str, Any], folder: Path, report: Callable[[int, int | None], None]) -> dict[str, Any]:
    """Leave `tracks.rrd`.

    Args:
        request: a `RecordBatchRequest` as JSON-able values.
        folder: where the output goes.
        report: told that it is done.

    Returns:
        points: how many.
    """
    asked = RecordBatchRequest.model_validate(request)
    view = open_view(asked)
    tracked = read_tracked(asked.batch / TRACKED_FILE)
    with record_points(folder / BATCH_RECORDING, asked.recording_id, view) as recording:
        recording.log_batch(batch_entity(asked.label, asked.number), tracked)
    report(1, 1)
    return {"points": len(tracked.point_index)}


def record_combined(request: dict[str, Any], folder: Path, report: Callable[[int, int | None], None]) -> dict[str, Any]:
    """Leave `combined.rrd`.

    Args:
        request: a `RecordRequest` as JSON-able values.
        folder: where the output goes.
        report: told batches written and expected.

    Returns:
        batches: how many; points: in them.
    """
    asked = RecordRequest.model_validate(request)
    view = open_view(asked)
    total = sum(len(one.batches) for one in asked.instances)
    done = points = 0
    with record_points(folder / COMBINED, asked.recording_id, view) as recording:
        recording.log_scene()
        for instance in asked.instances:
            kept = read_tracked(instance.merged / REFINED_FILE).point_index if asked.refined else None
            for number, batch in enumerate(instance.batches):
                tracked = read_tracked(batch / TRACKED_FILE)
                if kept is not None:
                    tracked = tracked.part(np.isin(tracked.point_index, kept))
                recording.log_batch(batch_entity(instance.label, number), tracked)
                done, points = done + 1, points + len(tracked.point_index)
                report(done, total)
    return {"batches": total, "points": points}
