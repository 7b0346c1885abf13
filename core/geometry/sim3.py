"""Similarity transforms of space: scale, rotation, translation."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sim3:
    """`y = scale * rotation @ x + translation`.

    Attributes:
        scale: positive.
        rotation: [3, 3], orthonormal, determinant 1.
        translation: [3], in units of the target.
    """

    scale: float
    rotation: Array
    translation: Array

    def __post_init__(self) -> None:
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"a scale is positive, not {self.scale}")
        if not np.allclose(self.rotation @ self.rotation.T, np.eye(3), atol=1e-6) or np.linalg.det(self.rotation) < 0:
            raise ValueError("a rotation is orthonormal with determinant 1")

    @staticmethod
    def identity() -> "Sim3":
        """The transform that changes nothing."""
        return Sim3(1.0, np.eye(3), np.zeros(3))

    def apply(self, points: Array) -> Array:
        """Points [N, 3] transformed."""
        moved: Array = self.scale * points @ self.rotation.T + self.translation
        return moved

    def inverse(self) -> "Sim3":
        """The way back."""
        back = self.rotation.T
        return Sim3(1 / self.scale, back, -(back @ self.translation) / self.scale)

    def __matmul__(self, first: "Sim3") -> "Sim3":
        """The transform that applies `first`, then this one."""
        (moved,) = self.apply(first.translation[None])
        return Sim3(self.scale * first.scale, self.rotation @ first.rotation, moved)

    def to_json(self) -> dict[str, Any]:
        """`scale`, `rotation` (rows), `translation`."""
        return {
            "scale": self.scale,
            "rotation": self.rotation.tolist(),
            "translation": self.translation.tolist(),
        }

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Sim3":
        """What `to_json` gave."""
        return Sim3(float(value["scale"]), np.array(value["rotation"], float), np.array(value["translation"], float))


def nearest_rotation(matrix: Array) -> Array:
    """The rotation nearest to each matrix [..., 3, 3] in the Frobenius norm (orthogonal Procrustes)."""
    left, _, right = np.linalg.svd(matrix)
    left[..., 2] *= np.sign(np.linalg.det(left @ right))[..., None]
    rotation: Array = left @ right
    return rotation


def umeyama(source: Array, target: Array, weights: Array | None = None) -> Sim3:
    """The similarity that takes `source` to `target` with the least weighted sum of squared distances.

    S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991.

    Args:
        source: [N, 3].
        target: [N, 3].
        weights: [N], not negative; equal when left out.

    Raises:
        ValueError: fewer than three points, or all on one line: the rotation is not determined.
    """
    share = np.full(len(source), 1 / max(len(source), 1)) if weights is None else weights / max(weights.sum(), 1e-300)
    source_mean, target_mean = share @ source, share @ target
    centred, wanted = source - source_mean, target - target_mean
    spread = np.linalg.svd(centred * np.sqrt(share)[:, None], compute_uv=False)
    if len(source) < 3 or spread[1] <= 1e-9 * max(spread[0], 1e-300):
        raise ValueError("a similarity needs three points that are not on one line")
    rotation = nearest_rotation((wanted * share[:, None]).T @ centred)
    turned = centred @ rotation.T
    scale = float((share[:, None] * wanted * turned).sum() / (share[:, None] * centred**2).sum())
    return Sim3(scale, rotation, target_mean - scale * rotation @ source_mean)
