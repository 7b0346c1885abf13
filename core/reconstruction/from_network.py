"""COLMAP models from a network's geometry: with tracks, to be bundle adjusted, or point by point as it is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import BadMedia
from core.geometry.colmap import pycolmap
from core.geometry.sim3 import Array
from core.models.roles import WindowGeometry, WindowTracks
from core.models.vggt.square import TRACK_SIDE, Square
from core.reconstruction.settings import FrameRequest

MIN_INLIERS = 64
_FARTHEST = 3000.0
_MOST_POINTS = 100_000
_LEAST_POINTS = 100
_KEPT_SHARE = 0.2
_CELL = 7

Bools = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Window:
    """A window's frames, what the network says of them, and where they lie in its squares."""

    frames: Sequence[FrameRequest]
    geometry: WindowGeometry

    @property
    def squares(self) -> list[Square]:
        """Of each frame."""
        return [Square(frame.width, frame.height) for frame in self.frames]


def track_inliers(window: Window, tracks: WindowTracks, vis_thresh: float, max_reproj_error: float) -> Bools:
    """Which views [S, P] of tracks count: visible, in front of the camera, and reprojected to within the error.

    The error is in pixels of the squares of 1024 that were tracked on.
    """
    side = window.geometry.depth.shape[-1]
    poses = window.geometry.cam_from_world.astype(float)
    seen = np.einsum("sij,pj->spi", poses[:, :, :3], tracks.xyz) + poses[:, None, :, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        flat = seen[..., :2] / seen[..., 2:]
    k = window.geometry.intrinsics.astype(float) * (TRACK_SIDE / side)
    xy = flat * k[:, None, [0, 1], [0, 1]] + k[:, None, :2, 2]
    away = np.linalg.norm(xy - (tracks.xy + 0.5), axis=-1)  # tracks have pixel centres at whole numbers
    near = (np.abs(tracks.xyz) < _FARTHEST).all(-1)
    inliers: Bools = (tracks.visibility > vis_thresh) & (seen[..., 2] > 0) & (away < max_reproj_error) & near
    return inliers


def model_from_tracks(
    window: Window, tracks: WindowTracks, inliers: Bools, camera_type: str, shared: bool
) -> pycolmap.Reconstruction:
    """A model of the frames that have inliers, in pixels of the source, under its names; to be bundle adjusted."""
    kept = [n for n in range(len(window.frames)) if inliers[n].any()]
    used = np.flatnonzero(inliers[kept].sum(0) >= 2)
    model = pycolmap.Reconstruction()
    _add_cameras(model, window, kept, camera_type, shared)
    elements: dict[int, list[pycolmap.TrackElement]] = {int(point): [] for point in used}
    for n in kept:
        frame, square = window.frames[n], window.squares[n]
        own = used[inliers[n, used]]
        xy = square.to_source(tracks.xy[n, own], TRACK_SIDE)
        for index, point in enumerate(own):
            elements[int(point)].append(pycolmap.TrackElement(frame.image_id, index))
        _add_image(model, frame, window.geometry.cam_from_world[n], xy, 1 if shared else frame.image_id)
    for point, track in elements.items():
        model.add_point3D(tracks.xyz[point], pycolmap.Track(track), tracks.colours[point])
    return model


def model_from_depth(
    window: Window, images: Sequence[npt.NDArray[np.uint8]], min_confidence: float
) -> tuple[pycolmap.Reconstruction, list[str]]:
    """A model of confident pixels, each seen by its own frame, a PINHOLE camera for each frame; and notes.

    At most 100,000 points, drawn evenly from a fixed seed. Where fewer than 100 pixels reach `min_confidence`, the
    most confident fifth is taken instead, and that is noted. `images` are the squares, at the geometry's side.
    """
    geometry, notes = window.geometry, []
    inside = np.stack([_inside(square, geometry.depth.shape[-1]) for square in window.squares])
    kept = inside & (geometry.confidence >= min_confidence) & (geometry.depth > 0)
    if kept.sum() < _LEAST_POINTS:
        limit = float(np.quantile(geometry.confidence[inside], 1 - _KEPT_SHARE))
        kept = inside & (geometry.confidence >= limit) & (geometry.depth > 0)
        notes.append(f"hardly a pixel has a confidence of {min_confidence:g}: those from {limit:.2f} up were taken")
    chosen = np.flatnonzero(kept)
    if len(chosen) > _MOST_POINTS:
        chosen = np.sort(np.random.default_rng(0).choice(chosen, _MOST_POINTS, replace=False))
    frames, rows, columns = np.unravel_index(chosen, kept.shape)
    xyz = geometry.world_points()
    model = pycolmap.Reconstruction()
    _add_cameras(model, window, range(len(window.frames)), "PINHOLE", shared=False)
    for n, frame in enumerate(window.frames):
        own = frames == n
        at = np.column_stack([columns[own], rows[own]]).astype(float)
        xy = window.squares[n].to_source(at, kept.shape[-1])
        _add_image(model, frame, geometry.cam_from_world[n], xy, frame.image_id)
        for index, (row, column) in enumerate(zip(rows[own], columns[own], strict=True)):
            track = pycolmap.Track([pycolmap.TrackElement(frame.image_id, index)])
            model.add_point3D(xyz[n, row, column].astype(float), track, images[n][row, column])
    return model, notes


def anchor_points(window: Window) -> tuple[Numbers, Numbers, Array]:
    """Points on a grid of pixels, the same in every window, to align windows by: frames, cells, xyz [A, 3]."""
    geometry, side = window.geometry, window.geometry.depth.shape[-1]
    grid = np.zeros((side, side), np.bool_)
    grid[_CELL // 2 :: _CELL, _CELL // 2 :: _CELL] = True
    inside = np.stack([_inside(square, side) & grid for square in window.squares])
    if not inside.any():
        raise BadMedia("its pictures are too narrow to align windows by")
    sure = geometry.confidence >= np.quantile(geometry.confidence[inside], 0.25)
    frames, rows, columns = np.nonzero(inside & sure & (geometry.depth > 0))
    numbers = np.array([frame.number for frame in window.frames])[frames]
    return numbers, rows * side + columns, geometry.world_points()[frames, rows, columns].astype(np.float64)


def _inside(square: Square, side: int) -> Bools:
    rows, columns = np.mgrid[:side, :side]
    return square.holds(square.to_source(np.stack([columns, rows], -1).astype(float), side))


def _add_cameras(
    model: pycolmap.Reconstruction, window: Window, kept: Sequence[int], camera_type: str, shared: bool
) -> None:
    """Cameras in pixels of the source, principal point in the middle; the shared one has the median focal length."""
    side = window.geometry.depth.shape[-1]
    focal = window.geometry.intrinsics[:, [0, 1], [0, 1]].astype(float)  # [S, 2]
    if shared:
        focal = np.tile(np.median(focal[list(kept)], axis=0), (len(focal), 1))
    for n in kept[:1] if shared else kept:
        frame, square = window.frames[n], window.squares[n]
        fx, fy = focal[n] * square.longer / side
        lengths = [float(fx), float(fy)] if camera_type == "PINHOLE" else [float(fx + fy) / 2]
        camera = pycolmap.Camera(
            model=camera_type,
            width=frame.width,
            height=frame.height,
            params=[*lengths, frame.width / 2, frame.height / 2],
            camera_id=1 if shared else frame.image_id,
        )
        model.add_camera_with_trivial_rig(camera)


def _add_image(
    model: pycolmap.Reconstruction, frame: FrameRequest, pose: npt.NDArray[np.float32], xy: Array, camera_id: int
) -> None:
    image = pycolmap.Image(name=frame.name, camera_id=camera_id, image_id=frame.image_id)
    image.points2D = pycolmap.Point2DList([pycolmap.Point2D(one) for one in xy])
    rotation = pycolmap.Rotation3d(pose[:, :3].astype(float))
    model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(rotation, pose[:, 3].astype(float)))
