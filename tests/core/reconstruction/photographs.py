"""Photographs of a known scene: textured walls at several depths, seen by a camera that moves sideways."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from core.geometry.sim3 import Array

WIDTH, HEIGHT, FOCAL = 320, 240, 300.0
_WALLS = ((0.0, 0.0, 9.0, 14.0, 9.0), (-2.5, 0.8, 6.0, 2.6, 3.0), (1.2, -0.6, 5.0, 2.0, 2.2), (3.6, 0.9, 7.0, 2.2, 3.0))
"""Centre x, y, depth; width, height."""


def intrinsics() -> Array:
    """[3, 3], pixel centres at 0.5."""
    return np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1.0]])


def poses(count: int, step: float = 0.22) -> list[tuple[Array, Array]]:
    """World-from-camera rotation and position of each frame."""
    return [
        (
            Rotation.from_euler("yx", [4 * np.sin(0.5 * n), 2 * np.cos(0.7 * n)], degrees=True).as_matrix(),
            np.array([step * n - 1.5, 0.1 * np.sin(n), 0.12 * np.cos(0.6 * n)]),
        )
        for n in range(count)
    ]


def _texture(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    noise = rng.integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    texture = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(60):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        cv2.circle(texture, (x, y), int(rng.integers(3, 16)), rng.integers(0, 256, 3).tolist(), -1, cv2.LINE_AA)
    return texture


def photographs(count: int, step: float = 0.22, seed: int = 0) -> list[np.ndarray]:
    """RGB images [240, 320, 3] from `poses`."""
    rng = np.random.default_rng(seed)
    walls = [(wall, _texture(rng, int(80 * wall[3]), int(80 * wall[4]))) for wall in _WALLS]
    made = []
    for rotation, position in poses(count, step):
        image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for (x, y, z, width, height), texture in walls:
            unit = np.array(
                [[width / texture.shape[1], 0, x - width / 2], [0, height / texture.shape[0], y - height / 2]]
            )
            plane = np.vstack([unit, [0, 0, 1]])  # texture pixel to (x, y, 1) on the wall
            world = np.array([[1, 0, 0], [0, 1, 0], [0, 0, z]]) @ plane
            world = world - np.outer(position, [0, 0, 1])
            shift = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # OpenCV's pixel centres are whole numbers
            homography = np.linalg.inv(shift) @ intrinsics() @ rotation.T @ world @ shift
            seen = cv2.warpPerspective(texture, homography, (WIDTH, HEIGHT), flags=cv2.INTER_AREA)
            covered = cv2.warpPerspective(np.full(texture.shape[:2], 255, np.uint8), homography, (WIDTH, HEIGHT))
            image[covered > 127] = seen[covered > 127]
        made.append(image)
    return made


def depth_map(rotation: Array, position: Array, side_x: int, side_y: int, k: Array) -> Array:
    """Depth [side_y, side_x] along the optical axis of the nearest wall, for a camera matrix of that size."""
    rows, columns = np.mgrid[:side_y, :side_x] + 0.5
    rays = np.stack([(columns - k[0, 2]) / k[0, 0], (rows - k[1, 2]) / k[1, 1], np.ones_like(rows)], -1) @ rotation.T
    nearest = np.full((side_y, side_x), np.inf)
    for x, y, z, width, height in _WALLS:
        depth = (z - position[2]) / rays[..., 2]
        at = position + depth[..., None] * rays
        inside = (np.abs(at[..., 0] - x) < width / 2) & (np.abs(at[..., 1] - y) < height / 2) & (depth > 0)
        nearest = np.where(inside, np.minimum(nearest, depth), nearest)
    return np.where(np.isfinite(nearest), nearest, 9.0)


def write_photographs(folder: Path, count: int, step: float = 0.22) -> list[Path]:
    """As `frame_0.png` and so on: natural order is not the order of the letters."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, image in enumerate(photographs(count, step)):
        paths.append(folder / f"frame_{number}.png")
        Image.fromarray(image).save(paths[-1])
    return paths


def write_reference(path: Path, count: int, step: float = 0.22) -> Path:
    """Their true poses, as `name x y z qx qy qz qw`."""
    lines = [
        f"frame_{n}.png {' '.join(f'{v:.9g}' for v in [*position, *Rotation.from_matrix(rotation).as_quat()])}\n"
        for n, (rotation, position) in enumerate(poses(count, step))
    ]
    path.write_text("# name x y z qx qy qz qw\n" + "".join(lines))
    return path
