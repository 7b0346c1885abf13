"""Placed windows to one COLMAP model: each frame once, points that share an observation one point."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csgraph

from core.geometry.colmap import pycolmap
from core.geometry.sim3 import Array, Sim3
from core.reconstruction.shared_points import Numbers, WindowModel


@dataclass(frozen=True, eq=False)
class Tracks:
    """Points with their observations, each frame at most once.

    Attributes:
        xyz: [P, 3] in the common frame.
        colours: uint8 [P, 3].
        observations: int64 [O, 3]: point, frame, feature; ordered.
    """

    xyz: Array
    colours: npt.NDArray[np.uint8]
    observations: Numbers


def merge_tracks(windows: Sequence[WindowModel], placed: Mapping[int, Sim3]) -> Tracks:
    """Points of several windows are one where the same feature of a frame sees them; its place is their mean.

    Where such a point has two features in one frame, the lower number stays.
    """
    used = [window for window in windows if window.number in placed]
    starts = np.cumsum([0, *(len(window.xyz) for window in used)])
    rows = [
        np.stack(
            [window.points[frame][1] + start, np.full_like(window.points[frame][0], frame), window.points[frame][0]]
        )
        for window, start in zip(used, starts, strict=False)
        for frame in window.points
    ]
    seen = np.concatenate([np.zeros((3, 0), np.int64), *rows], axis=1).T
    _, feature = np.unique(seen[:, 1:], axis=0, return_inverse=True)
    points = int(starts[-1])
    nodes = points + int(feature.max(initial=-1)) + 1
    graph = coo_array((np.ones(len(seen)), (seen[:, 0], points + feature)), shape=(nodes, nodes))
    _, label = csgraph.connected_components(graph, directed=False)
    _, track = np.unique(label[:points], return_inverse=True)
    counts = np.bincount(track).astype(float)[:, None]
    xyz = np.concatenate([np.zeros((0, 3)), *(placed[window.number].apply(window.xyz) for window in used)])
    colours = np.concatenate([np.zeros((0, 3)), *(window.colours.astype(float) for window in used)])
    observations = np.unique(np.column_stack([track[seen[:, 0]], seen[:, 1:]]), axis=0)
    first = np.ones(len(observations), np.bool_)
    first[1:] = (observations[1:, :2] != observations[:-1, :2]).any(1)
    return Tracks(
        _sums(xyz, track, len(counts)) / counts,
        np.round(_sums(colours, track, len(counts)) / counts).astype(np.uint8),
        observations[first],
    )


def _sums(values: Array, label: npt.NDArray[np.intp], count: int) -> Array:
    sums = np.zeros((count, 3))
    np.add.at(sums, label, values)
    return sums


def merge_models(
    windows: Sequence[WindowModel],
    models: Mapping[int, pycolmap.Reconstruction],
    placed: Mapping[int, Sim3],
    points_xy: Mapping[int, Array],
    single_views: bool,
) -> pycolmap.Reconstruction:
    """One model of all placed windows. Bundle adjustment is to follow.

    A frame's pose is taken from the window that sees most points in it. Where all windows have one camera, so has the
    model, with the median of its parameters; else each frame has its own.

    Args:
        windows: their points; the features of a frame have the same number in all of them.
        models: the same windows, by number.
        placed: where they are; the others are left out.
        points_xy: [N, 2], each frame's features, in pixels, by their number.
        single_views: keep points that one frame alone sees.
    """
    used = [window for window in windows if window.number in placed]
    tracks = merge_tracks(used, placed)
    best: dict[int, int] = {}
    for window in used:
        for frame, points in window.points.items():
            before = best.get(frame)
            if before is None or points.shape[1] > used[before].points[frame].shape[1]:
                best[frame] = used.index(window)
    merged = pycolmap.Reconstruction()
    shared = _one_camera([models[window.number] for window in used])
    if shared:
        _add_camera(merged, 1, [models[window.number].camera(1) for window in used])
    for frame in sorted(best):
        number = used[best[frame]].number
        image = models[number].image(frame + 1)
        if not shared:
            _add_camera(merged, image.image_id, [models[number].camera(image.camera_id)])
        _add_image(merged, image, 1 if shared else image.image_id, placed[number], points_xy[frame])
    _add_points(merged, tracks, 1 if single_views else 2)
    return merged


def _one_camera(models: Sequence[pycolmap.Reconstruction]) -> bool:
    """Whether all models have one camera each, of the same kind and size."""
    kinds = {(c.model_name, c.width, c.height) for model in models for c in model.cameras.values()}
    return len(kinds) == 1 and all(set(model.cameras) == {1} for model in models)


def _add_camera(merged: pycolmap.Reconstruction, camera_id: int, cameras: Sequence[pycolmap.Camera]) -> None:
    """Add a camera with the median of these cameras' parameters."""
    merged.add_camera_with_trivial_rig(
        pycolmap.Camera(
            camera_id=camera_id,
            model=cameras[0].model,
            width=cameras[0].width,
            height=cameras[0].height,
            params=np.median([camera.params for camera in cameras], axis=0).tolist(),
            has_prior_focal_length=True,
        )
    )


def _add_image(
    merged: pycolmap.Reconstruction, source: pycolmap.Image, camera_id: int, world_from_window: Sim3, points_xy: Array
) -> None:
    image = pycolmap.Image(name=source.name, camera_id=camera_id, image_id=source.image_id)
    image.points2D = pycolmap.Point2DList([pycolmap.Point2D(xy) for xy in points_xy])
    merged.add_image_with_trivial_frame(image, moved(source.cam_from_world(), world_from_window))


def moved(cam_from_window: pycolmap.Rigid3d, world_from_window: Sim3) -> pycolmap.Rigid3d:
    """The pose in the common frame, in its scale."""
    rotation = cam_from_window.rotation.matrix() @ world_from_window.rotation.T
    translation = world_from_window.scale * np.asarray(cam_from_window.translation)
    return pycolmap.Rigid3d(pycolmap.Rotation3d(rotation), translation - rotation @ world_from_window.translation)


def _add_points(merged: pycolmap.Reconstruction, tracks: Tracks, least_views: int) -> None:
    points, starts = np.unique(tracks.observations[:, 0], return_index=True)
    for point, seen in zip(points, np.split(tracks.observations, starts[1:]), strict=True):
        if len(seen) >= least_views:
            elements = [pycolmap.TrackElement(int(frame) + 1, int(feature)) for _, frame, feature in seen]
            merged.add_point3D(tracks.xyz[point], pycolmap.Track(elements), tracks.colours[point])
