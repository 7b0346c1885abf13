"""The work of one item: an instance's batches merged, and the static points dropped. Runs in a device worker."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from core.formats.clip_npz import QUERY_POINTS
from core.formats.tracked_npz import write_tracked
from core.item import Record, item
from core.points.merging import merge_batches, splitting_effect
from core.points.motion import keep_moving, motion_m
from core.points.settings import REFINED_FILE, TRACKED_FILE, MergeRequest
from core.points.track_item import open_view, setting_of
from core.progress import Progress
from core.store.npz import NpzReader


@item(MergeRequest)
def merge_instance(request: MergeRequest, folder: Path, report: Progress) -> Record:
    """Leave `tracked.npz` with all points in their order, and where static ones are to be dropped, `refined.npz`.

    Returns:
        points; visible: share of the valid positions that are visible; visible_by_frame: the same for each frame;
        motion_m: median and 90th percentile of the largest displacement; refined: counts, or None; splitting: see
        `splitting_effect`.
    """
    files = [tracks / TRACKED_FILE for tracks in request.batches]
    with NpzReader(request.query) as npz:
        points, name, cameras = (npz.array(key) for key in (QUERY_POINTS, "instance_id", "camera_index"))
    tracked = merge_batches(points, files)
    view = open_view(request)
    setting = setting_of(view, request.tracker, request)
    write_tracked(folder / TRACKED_FILE, tracked, setting, instance_id=name, camera_index=cameras)
    refined = None
    if request.motion is not None:
        kept, refined = keep_moving(tracked, request.motion, request.min_motion_m)
        stats = json.dumps({**refined, "method": request.motion, "min_motion_m": request.min_motion_m})
        about: dict[str, Any] = {"refinement_stats": stats, "instance_id": name, "camera_index": cameras[kept]}
        write_tracked(folder / REFINED_FILE, tracked.part(kept), setting, **about)
    moved = motion_m(tracked, "max_displacement")
    seen, valid = (tracked.visibilities & tracked.valid).sum(1), tracked.valid.sum(1)
    report(1, 1)
    return {
        "points": len(tracked.point_index),
        "visible": round(float(seen.sum() / max(1, valid.sum())), 4),
        "visible_by_frame": [round(float(s / v), 4) if v else None for s, v in zip(seen, valid, strict=True)],
        "motion_m": [round(float(value), 5) for value in (np.median(moved), np.percentile(moved, 90))],
        "refined": refined,
        "splitting": splitting_effect(files),
    }
