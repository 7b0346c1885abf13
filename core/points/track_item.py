"""The work of one item: a batch of points tracked. Runs in a device worker."""

import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core.formats.tracked_npz import Setting, Tracked, write_tracked
from core.memory import PeakMemory, release_free
from core.models.registry import POINT_TRACKERS
from core.points.settings import TRACKED_FILE, TrackRequest, ViewRequest
from core.rgbd.clip import Clip, ClipView
from core.store.npz import NpzReader


def track_batch(request: dict[str, Any], folder: Path, report: Callable[[int, int | None], None]) -> dict[str, Any]:
    """Leave `tracked.npz`.

    Args:
        request: a `TrackRequest` as JSON-able values.
        folder: where the outputs go.
        report: told frames done and expected.

    Returns:
        points, frames: how many; visible: share of the valid positions that are visible; seconds: of tracking; memory:
        most that was used, in MiB; notes: what a person should know.
    """
    asked = TrackRequest.model_validate(request)
    view = open_view(asked)
    with NpzReader(asked.batch) as npz:
        points, index, support = (npz.array(name) for name in ("query_points", "point_index", "support_points"))
    tracker = POINT_TRACKERS.load(asked.tracker)
    memory = PeakMemory()

    def watched(done: int, expected: int | None) -> None:
        memory.sample()
        report(done, expected)

    started = time.perf_counter()
    tracks = tracker.track(view, _seen(points, view), _seen(support, view), watched)
    seconds = time.perf_counter() - started
    tracked = Tracked(tracks.xyz, tracks.visible, tracks.valid, points, index)
    extra = {} if tracks.support is None else {"support_points": support, "support_tracks_3d": tracks.support}
    write_tracked(folder / TRACKED_FILE, tracked, setting_of(view, asked.tracker.backend, asked), **extra)
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


def open_view(asked: ViewRequest) -> ClipView:
    """What trackers see of an unpacked clip, opened once for all its batches."""
    return _opened(asked.clip, asked.temporal_stride, asked.spatial_downsample)


@lru_cache(maxsize=1)
def _opened(clip: Path, temporal_stride: int, spatial_downsample: int) -> ClipView:
    opened = Clip(clip)
    width, height = opened.info.rgb_size
    size = max(1, width // spatial_downsample), max(1, height // spatial_downsample)
    return ClipView(opened, temporal_stride, size)


def setting_of(view: ClipView, tracker: str, asked: ViewRequest) -> Setting:
    """What points were tracked in, for the file."""
    info = view.clip.info
    return Setting(
        frame_index=view.source_frames,
        intrs=view.intrinsics,
        extrs=view.cam_from_world,
        camera_ids=tuple(info.camera_ids),
        tracker=tracker,
        temporal_stride=asked.temporal_stride,
        spatial_downsample=asked.spatial_downsample,
        timestamps=None if info.timestamps is None else np.array(info.timestamps)[view.source_frames],
    )


def _seen(points: "np.typing.NDArray[np.float32]", view: ClipView) -> "np.typing.NDArray[np.float64]":
    """Points with the view's frame numbers instead of the clip's."""
    seen = points.astype(np.float64)
    seen[:, 0] = np.searchsorted(view.source_frames, seen[:, 0])
    return seen
