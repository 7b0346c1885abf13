"""Robust bundle adjustment, and what a model is like after it."""

import numpy as np

from core.geometry.colmap import pycolmap
from core.geometry.sim3 import Array

_LEAST_ANGLE_DEG = 0.5
_ANGLE_FOR_FOCAL_DEG = 4.0
_FOCAL_WITHIN = 0.35  # a focal length that moves farther has to earn it: …
_ANGLE_FOR_ANY_FOCAL_DEG = 8.0  # … under angles from here on, …
_BETTER = 0.9  # … by this share of the error with the focal length as it was, or less
_ROUNDS = 2


def bundle_adjust(model: pycolmap.Reconstruction, fixed_focal: bool, max_reproj_error: float) -> None:
    """Refine poses, points and, where the views determine it, the camera, with a loss that outliers do not dominate.

    COLMAP's bundle adjustment with a soft-L1 loss, on one thread, so that the result is the same every time; then
    points off by more than `max_reproj_error` pixels, behind a camera, or seen under less than half a degree go.

    Args:
        model: changed in place.
        fixed_focal: leave the focal length as it is. All of the camera is left where points are seen under small
            angles, which do not separate focal length from depth.
        max_reproj_error: in pixels.
    """
    refine = median_angle_deg(model) >= _ANGLE_FOR_FOCAL_DEG
    for _ in range(_ROUNDS):
        before = {camera_id: np.array(camera.params) for camera_id, camera in model.cameras.items()}
        unrefined = pycolmap.Reconstruction(model) if refine else None
        adjust(model, refine, fixed_focal)
        if unrefined is not None and not _near(model, before) and not _beats_adjusted(model, unrefined):
            for camera_id, params in before.items():
                model.camera(camera_id).params = params.tolist()
            refine = False
            adjust(model)
        pycolmap.ObservationManager(model).filter_all_points3D(max_reproj_error, _LEAST_ANGLE_DEG)
    model.update_point_3d_errors()


def adjust(model: pycolmap.Reconstruction, refine_camera: bool = False, fixed_focal: bool = False) -> None:
    """One bundle adjustment with a soft-L1 loss, in place; nothing is filtered."""
    options = pycolmap.BundleAdjustmentOptions()
    options.refine_focal_length = refine_camera and not fixed_focal
    options.refine_extra_params = refine_camera
    options.print_summary = False
    options.min_track_length = 2
    options.ceres.loss_function_type = pycolmap.LossFunctionType.SOFT_L1
    options.ceres.solver_options.num_threads = 1
    options.ceres.solver_options.function_tolerance = 1e-6
    config = pycolmap.BundleAdjustmentConfig()
    for image_id in sorted(model.reg_image_ids()):
        config.add_image(image_id)
    # No gauge is fixed: fixing two cameras that happen to stand together lets the scale run away.
    model.normalize()
    pycolmap.create_default_bundle_adjuster(options, config, model).solve()
    model.normalize()


def _near(model: pycolmap.Reconstruction, before: dict[int, Array]) -> bool:
    """Whether the focal lengths are near what they were."""

    def ratio(camera_id: int) -> float:
        camera = model.camera(camera_id)
        old = float(np.mean(before[camera_id][list(camera.focal_length_idxs())]))
        return float(camera.mean_focal_length()) / old

    return all(abs(ratio(camera_id) - 1) <= _FOCAL_WITHIN for camera_id in before)


def _beats_adjusted(model: pycolmap.Reconstruction, unrefined: pycolmap.Reconstruction) -> bool:
    """Whether views under large angles agree so much better that the first guess of the focal length was wrong.

    `unrefined`, the model before, is adjusted with that guess to compare.
    """
    if median_angle_deg(model) < _ANGLE_FOR_ANY_FOCAL_DEG:
        return False
    adjust(unrefined)
    return _error_px(model) <= _BETTER * _error_px(unrefined)


def _error_px(model: pycolmap.Reconstruction) -> float:
    model.update_point_3d_errors()
    return float(model.compute_mean_reprojection_error())


def centres(model: pycolmap.Reconstruction) -> dict[int, Array]:
    """Centre of projection of each registered image, by image id."""
    return {i: np.asarray(model.image(i).projection_center(), float) for i in sorted(model.reg_image_ids())}


def median_angle_deg(model: pycolmap.Reconstruction) -> float:
    """Median over the points of the angle between the rays of their first and last view, in degrees; 0 without any."""
    places = centres(model)
    ends = []
    for point_id in sorted(model.point3D_ids()):
        point = model.point3D(point_id)
        seen = sorted(element.image_id for element in point.track.elements)
        ends.append((point.xyz - places[seen[0]], point.xyz - places[seen[-1]]))
    if not ends:
        return 0.0
    first, last = (np.array(side) for side in zip(*ends, strict=True))
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(last, axis=1)
    cosine = (first * last).sum(1) / np.maximum(lengths, 1e-300)
    return float(np.degrees(np.median(np.arccos(np.clip(cosine, -1, 1)))))
