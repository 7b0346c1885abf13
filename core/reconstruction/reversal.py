"""The other solution that small motion allows: depth reversed, rotations the other way round.

Seen under small angles, a scene and its reversal in depth (a Necker cube's two readings) look nearly the same; a
mapper may end in the wrong one. J. J. Koenderink and A. J. van Doorn, "Affine structure from motion", JOSA A 1991.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from core.geometry.colmap import pycolmap
from core.geometry.sim3 import Array
from core.reconstruction.bundle import adjust, median_angle_deg

_AMBIGUOUS_DEG = 8.0
_CLIPPED_PX = 4.0


def better_reversed(model: pycolmap.Reconstruction) -> pycolmap.Reconstruction | None:
    """The reversed model, adjusted, where it explains the same observations better than the model does; else None."""
    if model.num_reg_images() < 3 or not 0 < median_angle_deg(model) < _AMBIGUOUS_DEG:
        return None  # two views alone fit either reading
    other = _reversed(model)
    adjust(other)
    return other if _mean_error(other) < _mean_error(model) else None


def _mean_error(model: pycolmap.Reconstruction) -> float:
    model.update_point_3d_errors()
    errors = [model.point3D(i).error for i in model.point3D_ids()]
    return float(np.mean(np.clip(np.nan_to_num(errors, nan=_CLIPPED_PX), 0, _CLIPPED_PX)))


def _reversed(model: pycolmap.Reconstruction) -> pycolmap.Reconstruction:
    """Depths mirrored, as inverse depths, at the median depth of the middle camera; camera rotations relative to it
    with their parts about x and y negated, such that the scene's middle stays where each camera sees it."""
    other = pycolmap.Reconstruction(model)
    image_ids = sorted(other.reg_image_ids())
    middle = other.image(image_ids[len(image_ids) // 2]).cam_from_world()
    rotation, translation = middle.rotation.matrix(), np.asarray(middle.translation, float)
    point_ids = sorted(other.point3D_ids())
    seen = np.array([middle * other.point3D(i).xyz for i in point_ids])
    depth = float(np.median(seen[:, 2]))
    centre = np.array([0.0, 0.0, depth])
    inverse = np.maximum(2 / depth - 1 / np.maximum(seen[:, 2], 1e-3 * depth), 0.2 / depth)
    mirrored: Array = seen / seen[:, 2:] / inverse[:, None]
    for point_id, xyz in zip(point_ids, (mirrored - translation) @ rotation, strict=True):
        other.point3D(point_id).xyz = xyz
    for image_id in image_ids:
        image = other.image(image_id)
        relative = image.cam_from_world() * middle.inverse()
        turn = Rotation.from_matrix(relative.rotation.matrix()).as_rotvec() * [-1, -1, 1]
        turned = Rotation.from_rotvec(turn).as_matrix()
        there = relative * centre
        pose = pycolmap.Rigid3d(pycolmap.Rotation3d(turned), there - turned @ centre)
        other.frame(image.frame_id).set_cam_from_world(image.camera_id, pose * middle)
    return other
