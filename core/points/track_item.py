"""The work of one item: a batch of points tracked. Runs in a device worker."""

import time
from functools import lru_cache
from pathlib import Path

import numpy as np

from core.formats.tracked_npz import Setting, Tracked, write_tracked
from core.item import Record, item
from core.memory import PeakMemory, release_free
from core.models.registry import POINT_TRACKERS
from core.points.settings import TRACKED_FILE, TrackRequest, ViewRequest
from core.progress import Progress
from core.rgbd.clip import Clip, ClipView
from core.store.npz import NpzReader


@item(TrackRequest)
def track_batch(request: TrackRequest, folder: Path, report: Progress) -> Record:
    """Leave `tracked.npz`.

    Returns:
        points, frames: how many; visible: share of the valid positions that are visible; seconds: of tracking; memory:
        most that was used, in MiB; notes: what a person should know.
    """
    view = open_view(request)
    with NpzReader(request.batch) as npz:
        points, index, support = (npz.array(name) for name in ("query_points", "point_index", "support_points"))
    tracker = POINT_TRACKERS.load(request.tracker)
    memory = PeakMemory()

    def watched(done: int, expected: int | None) -> None:
        memory.sample()
        report(done, expected)

    started = time.perf_counter()
    tracks = tracker.track(view, _seen(points, view), _seen(support, view), watched)
    seconds = time.perf_counter() - started
    tracked = Tracked(tracks.xyz, tracks.visible, tracks.valid, points, index)
    extra = {} if tracks.support is None else {"support_points": support, "support_tracks_3d": tracks.support}
    write_tracked(folder / TRACKED_FILE, tracked, setting_of(view, request.tracker.backend, request), **extra)
    used = memory.record()
    release_free()
    return {
        "points": len(points),
        "frames": view.frames,
        "visible": round(float(tracks.visible.sum() / max(1, tracks.valid.sum())), 4),
        "seconds": round(seconds, 3),
        "memory": used,
        "notes": list(tracks.notes),
    }


def open_view(request: ViewRequest) -> ClipView:
    """What trackers see of an unpacked clip, opened once for all its batches."""
    return _opened(request.clip, request.temporal_stride, request.spatial_downsample)


@lru_cache(maxsize=1)
def _opened(clip: Path, temporal_stride: int, spatial_downsample: int) -> ClipView:
    opened = Clip(clip)
    width, height = opened.info.rgb_size
    size = max(1, width // spatial_downsample), max(1, height // spatial_downsample)
    return ClipView(opened, temporal_stride, size)


def setting_of(view: ClipView, tracker: str, request: ViewRequest) -> Setting:
    """What points were tracked in, for the file."""
    info = view.clip.info
    return Setting(
        frame_index=view.source_frames,
        intrs=view.intrinsics,
        extrs=view.cam_from_world,
        camera_ids=tuple(info.camera_ids),
        tracker=tracker,
        temporal_stride=request.temporal_stride,
        spatial_downsample=request.spatial_downsample,
        timestamps=None if info.timestamps is None else np.array(info.timestamps)[view.source_frames],
    )


def _seen(points: "np.typing.NDArray[np.float32]", view: ClipView) -> "np.typing.NDArray[np.float64]":
    """Points with the view's frame numbers instead of the clip's."""
    seen = points.astype(np.float64)
    seen[:, 0] = np.searchsorted(view.source_frames, seen[:, 0])
    return seen
