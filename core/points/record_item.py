"""The work of items that make recordings: of a batch, and of the scene with all batches of all instances. They run in
device workers."""

from pathlib import Path

import numpy as np

from core.formats.rerun_points import batch_entity, record_points
from core.formats.tracked_npz import read_tracked
from core.item import Record, item
from core.points.settings import (
    BATCH_RECORDING,
    COMBINED,
    REFINED_FILE,
    TRACKED_FILE,
    RecordBatchRequest,
    RecordRequest,
)
from core.points.track_item import open_view
from core.progress import Progress


@item(RecordBatchRequest)
def record_one(request: RecordBatchRequest, folder: Path, report: Progress) -> Record:
    """Leave `tracks.rrd`.

    Returns:
        points: how many.
    """
    view = open_view(request)
    tracked = read_tracked(request.batch / TRACKED_FILE)
    with record_points(folder / BATCH_RECORDING, request.recording_id, view) as recording:
        recording.log_batch(batch_entity(request.label, request.number), tracked)
    report(1, 1)
    return {"points": len(tracked.point_index)}


@item(RecordRequest)
def record_combined(request: RecordRequest, folder: Path, report: Progress) -> Record:
    """Leave `combined.rrd`.

    Returns:
        batches: how many; points: in them.
    """
    view = open_view(request)
    total = sum(len(one.batches) for one in request.instances)
    done = points = 0
    with record_points(folder / COMBINED, request.recording_id, view) as recording:
        recording.log_scene()
        for instance in request.instances:
            kept = read_tracked(instance.merged / REFINED_FILE).point_index if request.refined else None
            for number, batch in enumerate(instance.batches):
                tracked = read_tracked(batch / TRACKED_FILE)
                if kept is not None:
                    tracked = tracked.part(np.isin(tracked.point_index, kept))
                recording.log_batch(batch_entity(instance.label, number), tracked)
                done, points = done + 1, points + len(tracked.point_index)
                report(done, total)
    return {"batches": total, "points": points}
