"""Trackers that see one camera: which camera sees a point best, and its track lifted to the world."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from core.geometry.pinhole import back_project, project
from core.geometry.sim3 import Array
from core.models.roles import PointTracks
from core.rgbd.clip import ClipView
from core.rgbd.lifting import depth_near

Flags = npt.NDArray[np.bool_]
_AGREES = 0.02


def best_cameras(view: ClipView, queries: Array) -> tuple[npt.NDArray[np.int64], Array]:
    """For each point [N, 4] (frame, x, y, z) the camera that sees it best in its frame.

    That is the first whose depth there is the point's own, else the one whose depth is nearest to it. One that does not
    have it in the picture is the last choice, one without depth there the last but one.

    Returns:
        cameras: [N].
        xy: [N, 2], where that camera sees the points, in pixels.
    """
    frames = queries[:, 0].astype(np.int64)
    off = np.zeros((view.cameras, len(queries)))
    places = np.zeros((view.cameras, len(queries), 2))
    width, height = view.size
    for camera in range(view.cameras):
        for frame in np.unique(frames):
            chosen = np.flatnonzero(frames == frame)
            xyz = queries[chosen, 1:]
            xy, depth = project(xyz, view.intrinsics[camera, frame], view.cam_from_world[camera, frame])
            inside = (depth > 0) & (xy > -0.5).all(-1) & (xy[:, 0] < width - 0.5) & (xy[:, 1] < height - 0.5)
            xy = np.where(inside[:, None], xy, 0.0)
            measured = depth_near(view.depth(camera, int(frame)), xy, depth)
            wrong = np.where(measured > 0, np.abs(measured - depth) / np.where(inside, depth, 1.0), 1e3)
            off[camera, chosen] = np.where(inside, np.where(wrong < _AGREES, 0.0, wrong), 1e6)
            places[camera, chosen] = xy
    best = off.argmin(0)
    return best, places[best, np.arange(len(queries))]


def track_in_best_cameras(
    view: ClipView, queries: Array, track: Callable[[int, Array, Array], tuple[npt.NDArray[np.float32], Flags]]
) -> PointTracks:
    """Tracks of points [N, 4], each in the camera that sees it best.

    Args:
        view: the clip.
        queries: frame and position of each point.
        track: camera, its points [K, 4], and where it sees them in their frames [K, 3] (frame, x, y in pixels), to
            world points [T, K, 3] and whether they are visible [T, K].
    """
    cameras, places = best_cameras(view, queries)
    xyz = np.zeros((view.frames, len(queries), 3), np.float32)
    visible = np.zeros((view.frames, len(queries)), bool)
    for camera in np.unique(cameras):
        chosen = np.flatnonzero(cameras == camera)
        queries_xy = np.column_stack([queries[chosen, 0], places[chosen]])
        xyz[:, chosen], visible[:, chosen] = track(int(camera), queries[chosen], queries_xy)
    return valid_from(queries, xyz, visible)


def valid_from(queries: Array, xyz: npt.NDArray[np.float32], visible: Flags) -> PointTracks:
    """Tracks [T, N, 3] that begin in each point's own frame: before that there is nothing."""
    valid = np.arange(len(xyz))[:, None] >= queries[:, 0]
    return PointTracks(np.where(valid[..., None], xyz, np.float32(np.nan)), visible & valid, valid)


def lift(
    view: ClipView, camera: int, queries: Array, xy: Array, visible: Flags
) -> tuple[npt.NDArray[np.float32], Flags]:
    """A camera's tracks in the world.

    A visible point takes the depth measured where it is seen, if that has not jumped; else it keeps the depth it had
    in the world. Unseen points keep that too and move with their pixels.

    Args:
        view: the clip.
        camera: that tracked.
        queries: [N, 4], frame and position of each point.
        xy: [T, N, 2], pixels.
        visible: [T, N].

    Returns:
        xyz: float32 [T, N, 3], the point's own position in its own frame.
        visible: [T, N]: seen, and not in front of something else than itself.
    """
    started = queries[:, 0].astype(np.int64)
    current = queries[:, 1:].copy()
    xyz = np.zeros((view.frames, len(queries), 3), np.float32)
    kept = visible.copy()
    for frame in range(view.frames):
        intrinsics, pose = view.intrinsics[camera, frame], view.cam_from_world[camera, frame]
        _, expected = project(current, intrinsics, pose)
        known = np.isfinite(xy[frame]).all(-1)
        place = np.where(known[:, None], xy[frame], 0.0)
        measured = depth_near(view.depth(camera, frame), place, expected)
        agrees = (measured > 0) & (np.abs(measured - expected) < 0.1 * np.abs(expected) + 0.05)
        kept[frame] &= agrees | (measured == 0)
        depth = np.where(visible[frame] & agrees, measured, expected)
        going = (started < frame) & (depth > 0) & known
        moved = back_project(place, depth, intrinsics, pose)
        current = np.where(going[:, None], moved, current)
        xyz[frame] = current
    return xyz, kept
