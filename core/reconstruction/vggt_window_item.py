"""The work of one item: a window's COLMAP model from what VGGT says of it."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from core.errors import BadMedia
from core.formats.window_info import WindowInfo, write_window_info
from core.geometry.colmap import pycolmap
from core.geometry.robust import align_points
from core.geometry.sim3 import Array
from core.item import item
from core.models.roles import WindowGeometry, WindowTracks
from core.models.vggt.square import make_square
from core.progress import Progress
from core.reconstruction.anchors import write_anchors
from core.reconstruction.bundle import bundle_adjust
from core.reconstruction.describe import describe
from core.reconstruction.from_network import (
    MIN_INLIERS,
    Window,
    anchor_points,
    model_from_depth,
    model_from_tracks,
    track_inliers,
)
from core.reconstruction.settings import SPARSE, CameraSettings, FrameRequest, SolveSettings, VggtSettings
from core.reconstruction.vggt_predict_item import read_geometry
from core.reconstruction.window_item import write_model
from core.reconstruction.window_tracks import match_points
from core.video.frames import RGB
from core.video.image_file import read_image

_LEAST_FRAMES = 2


class VggtWindowRequest(BaseModel):
    """A window: its number, all its frames, and, of those that can be read, images and the predicted geometry."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    window: int
    frames: list[FrameRequest]
    images: list[Path]
    geometry: Path
    camera: CameraSettings
    settings: SolveSettings
    vggt: VggtSettings


@item(VggtWindowRequest)
def solve_vggt_window(request: VggtWindowRequest, folder: Path, report: Progress) -> WindowInfo:
    """Leave a window's model in `sparse/`, what it is like in `window_info.*`, and `anchors.npz` to align it by.

    With bundle adjustment: features are matched; where every frame has 64 inliers, all are adjusted, else those that
    have; where that cannot be done either, the network's own poses and depth are kept. The reason is noted.

    Returns:
        The `WindowInfo`.

    Raises:
        BadMedia: there is no usable depth; the message says why.
    """
    used = [frame for frame in request.frames if frame.reason is None]
    if not used:
        raise BadMedia(f"no frame of it can be read; {request.frames[0].name}: {request.frames[0].reason}")
    squares = [make_square(read_image(path, upright=False)) for path in request.images]
    window = Window(used, read_geometry(request.geometry))
    check_geometry(window.geometry)
    report(1, 3)
    model, method, notes, reasons = solve(window, squares, request)
    report(2, 3)
    frames, cells, xyz = anchor_points(window)
    write_anchors(folder, frames, cells, _follow(window, model, xyz))
    write_model(model, folder / SPARSE)
    reasons |= {frame.image_id: frame.reason for frame in request.frames if frame.reason is not None}
    info = describe(request.window, model, request.frames, reasons, backend="vggt", method=method, notes=notes)
    write_window_info(folder, info)
    report(3, 3)
    return info


def check_geometry(geometry: WindowGeometry) -> None:
    """Raise `BadMedia` where the network says nothing usable: numbers that are none, or no depth in front."""
    if not all(np.isfinite(values).all() for values in vars(geometry).values()):
        raise BadMedia("the network's answer is not finite: weights and images do not go together")
    if not (geometry.depth > 0).any():
        raise BadMedia("the network sees nothing in front of the cameras")


def solve(
    window: Window, squares: list[RGB], request: VggtWindowRequest
) -> tuple[pycolmap.Reconstruction, str, list[str], dict[int, str]]:
    """The model, how it was made, notes, and reasons by image id for frames that it lacks.

    Bundle adjustment, then without bad frames, then feed-forward.
    """
    notes: list[str] = []
    if request.settings.bundle_adjustment:
        try:
            tracks = match_points(squares, window.geometry, request.vggt)
            model, bad = adjust_tracks(window, tracks, request)
            if model is not None:
                why = {window.frames[n].image_id: f"fewer than {MIN_INLIERS} inlier points" for n in bad}
                left_out = f" without {len(bad)} frame{'s' if len(bad) > 1 else ''}" if bad else ""
                return model, f"bundle adjustment{left_out}", notes, why
            notes.append(
                f"no bundle adjustment: {len(bad)} of {len(window.frames)} frames have under {MIN_INLIERS} inliers"
            )
        except np.linalg.LinAlgError as error:
            notes.append(f"no bundle adjustment: {error}")
    side = window.geometry.depth.shape[-1]
    small = [_resized(square, side) for square in squares]
    model, more = model_from_depth(window, small, request.vggt.conf_thres_value)
    return model, "feed-forward", notes + more, {}


def adjust_tracks(
    window: Window, tracks: WindowTracks, request: VggtWindowRequest
) -> tuple[pycolmap.Reconstruction | None, list[int]]:
    """The adjusted model of the frames with enough inliers, and the positions of the others."""
    inliers = track_inliers(window, tracks, request.vggt.vis_thresh, request.settings.max_reproj_error)
    bad = [n for n in range(len(window.frames)) if inliers[n].sum() < MIN_INLIERS]
    inliers[bad] = False
    if len(window.frames) - len(bad) < _LEAST_FRAMES:
        return None, bad
    shared = request.camera.shared and len({(frame.width, frame.height) for frame in window.frames}) == 1
    model = model_from_tracks(window, tracks, inliers, request.camera.model, shared)
    bundle_adjust(model, request.camera.fixed, request.settings.max_reproj_error)
    return (model if model.num_points3D() >= MIN_INLIERS else None), bad


def _follow(window: Window, model: pycolmap.Reconstruction, xyz: Array) -> Array:
    """Anchors where bundle adjustment has moved the model: found by where its cameras look now."""
    before, after = [], []
    for n, frame in enumerate(window.frames):
        if frame.image_id not in model.reg_image_ids():
            continue
        seen = model.image(frame.image_id).get_observation_points2D()
        if seen:
            before.append(_on_surface(window, n, np.array([point.xy for point in seen], float)))
            after.append(np.array([model.point3D(point.point3D_id).xyz for point in seen], float))
    if not before:
        return xyz
    source, target = np.concatenate(before), np.concatenate(after)
    centre = np.median(target, axis=0)
    depth = np.maximum(np.linalg.norm(target - centre, axis=1), 1e-9) + np.linalg.norm(target - centre, axis=1).mean()
    found = align_points(source, target, depth)
    return xyz if found is None else found.sim3.apply(xyz)


def _on_surface(window: Window, n: int, xy: Array) -> Array:
    """Where the network's depth puts pixels [N, 2] of frame `n`: [N, 3] in the network's frame."""
    square, side = window.squares[n], window.geometry.depth.shape[-1]
    at = np.clip(np.round((xy + square.margin) * side / square.longer - 0.5), 0, side - 1).astype(int)
    found: Array = window.geometry.world_points()[n, at[:, 1], at[:, 0]].astype(float)
    return found


def _resized(square: RGB, side: int) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
