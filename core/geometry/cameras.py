"""Cameras against cameras: aligning two sets of poses of the same images, and how far they then are apart."""

from dataclasses import dataclass

import numpy as np

from core.geometry.sim3 import Array, Sim3, nearest_rotation

_ORIENTATIONS = 1 / 3


@dataclass(frozen=True, eq=False)
class Poses:
    """World-from-camera poses of images, OpenCV axes.

    Attributes:
        rotations: [N, 3, 3]; None where only positions are known.
        positions: [N, 3], centres of projection.
    """

    rotations: Array | None
    positions: Array


@dataclass(frozen=True, eq=False)
class PoseErrors:
    """How far aligned poses are from a reference, image by image.

    Attributes:
        position: [N], distances in units of the reference.
        rotation_deg: [N], angles; None where only positions are known.
    """

    position: Array
    rotation_deg: Array | None


def align_poses(source: Poses, reference: Poses) -> Sim3:
    """The similarity that takes `source` to `reference`, from centres and orientations together.

    Chordal Procrustes: centres, brought to unit spread, and axes vote on the rotation (a straight path alone leaves it
    open); scale and translation are then least squares on the centres (Umeyama 1991 for a given rotation).

    Raises:
        ValueError: fewer than three images, no motion, or only positions and these on one line.
    """
    one, other = source.positions - source.positions.mean(0), reference.positions - reference.positions.mean(0)
    spread, wanted = float(np.sqrt((one**2).sum())), float(np.sqrt((other**2).sum()))
    if len(one) < 3 or spread == 0 or wanted == 0:
        raise ValueError("aligning needs at least three cameras that do not all stand in one place")
    votes = (other / wanted).T @ (one / spread)
    if source.rotations is not None and reference.rotations is not None:
        turns = np.einsum("nij,nkj->ik", reference.rotations, source.rotations)
        votes = votes + _ORIENTATIONS * turns / len(one)
    elif np.linalg.svd(votes, compute_uv=False)[1] < 1e-6:
        raise ValueError("positions on one line do not determine the rotation: give orientations too")
    rotation = nearest_rotation(votes)
    scale = float((other * (one @ rotation.T)).sum() / spread**2)
    if scale <= 0:
        raise ValueError("the motion of these cameras has nothing in common with the reference's")
    return Sim3(scale, rotation, reference.positions.mean(0) - scale * rotation @ source.positions.mean(0))


def pose_errors(source: Poses, reference: Poses, sim3: Sim3) -> PoseErrors:
    """Distances and angles between `source`, moved by `sim3`, and `reference`."""
    away = np.linalg.norm(sim3.apply(source.positions) - reference.positions, axis=1)
    angles = None
    if source.rotations is not None and reference.rotations is not None:
        angles = rotation_angles_deg(sim3.rotation @ source.rotations, reference.rotations)
    return PoseErrors(away, angles)


def rotation_angles_deg(one: Array, other: Array) -> Array:
    """Angles between rotations [N, 3, 3], in degrees: exact for small ones, where the trace is not."""
    chord = np.linalg.norm(one - other, axis=(1, 2)) / np.sqrt(8)
    angles: Array = np.degrees(2 * np.arcsin(np.clip(chord, 0, 1)))
    return angles
