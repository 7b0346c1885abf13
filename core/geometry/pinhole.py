"""Pinhole cameras: pixels and depth to points in the world, and back.

Pixel centres are whole numbers. Sums are written out component by component: a matrix product's rounding depends on how
many points there are, and points tracked in batches must come out the same to the bit.
"""

import numpy as np

from core.geometry.sim3 import Array


def project(xyz: Array, intrinsics: Array, cam_from_world: Array) -> tuple[Array, Array]:
    """Where a camera sees points.

    Args:
        xyz: [N, 3], world.
        intrinsics: [3, 3], pixels.
        cam_from_world: [3, 4], OpenCV axes.

    Returns:
        Pixels [N, 2], not finite for points in the camera's own plane; depth [N] along the optical axis, negative
        behind the camera.
    """
    x, y, depth = _moved(xyz, cam_from_world[:, :3], cam_from_world[:, 3])
    with np.errstate(divide="ignore", invalid="ignore"):
        u = intrinsics[0, 0] * (x / depth) + intrinsics[0, 1] * (y / depth) + intrinsics[0, 2]
        v = intrinsics[1, 1] * (y / depth) + intrinsics[1, 2]
    return np.stack([u, v], -1), depth


def back_project(xy: Array, depth: Array, intrinsics: Array, cam_from_world: Array) -> Array:
    """World points [N, 3] of pixels [N, 2] at a depth [N] along the optical axis."""
    y = (xy[:, 1] - intrinsics[1, 2]) / intrinsics[1, 1] * depth
    x = ((xy[:, 0] - intrinsics[0, 2]) * depth - intrinsics[0, 1] * y) / intrinsics[0, 0]
    rotation, translation = cam_from_world[:, :3], cam_from_world[:, 3]
    seen = np.stack([x - translation[0], y - translation[1], depth - translation[2]], -1)
    return np.stack(_moved(seen, rotation.T, np.zeros(3)), -1)


def inverse_pose(pose: Array) -> Array:
    """World-from-camera [..., 3, 4] of camera-from-world [..., 3, 4], or the other way."""
    back = pose[..., :3].swapaxes(-1, -2)
    return np.concatenate([back, -(back @ pose[..., 3:])], -1)


def rescaled(intrinsics: Array, scale_x: float, scale_y: float) -> Array:
    """Intrinsics [..., 3, 3] of the same camera after its image was resized by these factors.

    The image's corners stay its corners: with centres at whole numbers, `u' = (u + 0.5) * scale - 0.5`.
    """
    scaled = intrinsics.copy()
    scaled[..., 0, :] *= scale_x
    scaled[..., 1, :] *= scale_y
    scaled[..., 0, 2] += 0.5 * scale_x - 0.5
    scaled[..., 1, 2] += 0.5 * scale_y - 0.5
    return scaled


def _moved(xyz: Array, rotation: Array, translation: Array) -> tuple[Array, Array, Array]:
    x, y, z = xyz[:, 0], xyz[:, 1], xyz[:, 2]
    first, second, third = (
        rotation[row, 0] * x + rotation[row, 1] * y + rotation[row, 2] * z + translation[row] for row in range(3)
    )
    return first, second, third
