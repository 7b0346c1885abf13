"""Tracks drawn into frames of the clip, for people."""

import cv2
import numpy as np

from core.formats.rerun_points import rainbow
from core.formats.tracked_npz import Tracked
from core.geometry.pinhole import project
from core.geometry.sim3 import Array
from core.report.page import Picture
from core.rgbd.clip import ClipView
from core.video.frames import RGB

_MOST_DOTS, _TAIL, _SHADE = 600, 15, 0.45


def draw_instance(view: ClipView, tracked: Tracked) -> list[Picture]:
    """The first, the middle and the last frame in which points are tracked, each in the camera that shows most."""
    tracking = np.flatnonzero(tracked.valid.any(1))
    chosen = np.linspace(0, len(tracked.point_index) - 1, min(_MOST_DOTS, len(tracked.point_index))).astype(int)
    some = tracked.part(chosen)
    pictures = []
    for frame in dict.fromkeys([int(tracking[0]), int(tracking[len(tracking) // 2]), int(tracking[-1])]):
        places = [_places(view, camera, some, frame) for camera in range(view.cameras)]
        camera = int(np.argmax([(_inside(view, xy) & some.visibilities[frame]).sum() for xy in places]))
        seen, valid = int(tracked.visibilities[frame].sum()), int(tracked.valid[frame].sum())
        where = f", camera {view.clip.info.camera_ids[camera]}" if view.cameras > 1 else ""
        caption = f"frame {int(view.source_frames[frame])}{where}: {seen:,} of {valid:,} points visible in some camera"
        pictures.append(Picture(_draw(view, camera, some, frame), caption))
    return pictures


def _draw(view: ClipView, camera: int, tracked: Tracked, frame: int) -> RGB:
    canvas = (view.rgb(camera, frame) * (1 - _SHADE)).astype(np.uint8)
    colours = rainbow(tracked.query_points[:, 1:])
    width = max(1, round(max(view.size) / 500))
    # Where the points have been, seen from where the camera is now.
    trails = [_places(view, camera, tracked, frame, at) for at in range(max(0, frame - _TAIL), frame + 1)]
    for number, colour in enumerate(colours.tolist()):
        way = np.array([xy[number] for xy in trails])
        way = way[np.isfinite(way).all(1)]
        if len(way) and _inside(view, way[-1:])[0] and tracked.valid[frame, number]:
            points = np.rint(way * 8).clip(-(2**20), 2**20).astype(np.int32)
            cv2.polylines(canvas, [points], False, colour, width, cv2.LINE_AA, shift=3)
            filled = cv2.FILLED if tracked.visibilities[frame, number] else 1
            cv2.circle(canvas, points[-1].tolist(), 8 * (width + 1), colour, filled, cv2.LINE_AA, shift=3)
    return canvas


def _places(view: ClipView, camera: int, tracked: Tracked, frame: int, at: int | None = None) -> Array:
    """Pixels [N, 2] in the camera's picture of `frame` of where points are in frame `at`; NaN where they are not."""
    xyz = tracked.tracks_3d[frame if at is None else at].astype(float)
    xy, depth = project(xyz, view.intrinsics[camera, frame], view.cam_from_world[camera, frame])
    return np.where((depth > 0)[:, None], xy, np.nan)


def _inside(view: ClipView, xy: Array) -> "np.typing.NDArray[np.bool_]":
    with np.errstate(invalid="ignore"):
        return np.asarray((xy >= 0).all(1) & (xy < view.size).all(1))
