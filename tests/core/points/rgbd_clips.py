"""RGB-D clips with exact truth: the walls of `photographs`, and a textured plane that moves."""

import io
import json
import pickle
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from photographs import HEIGHT, WIDTH, depth_map, intrinsics, photographs, poses

from core.points.unpack import unpack_clip
from core.rgbd.clip import Clip

Arrays = dict[str, npt.NDArray[Any]]
SHIFT = 3
"""Frames by which a camera is ahead of the one before."""
BOX = (slice(90, 150), slice(110, 200))
"""Rows and columns of the mask in the first frame."""


@lru_cache(maxsize=8)
def _walls(cameras: int, frames: int, step: float) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], Any]:
    total = frames + SHIFT * (cameras - 1)
    images, places = np.stack(photographs(total, step)), poses(total, step)
    depths = np.stack([depth_map(r, p, WIDTH, HEIGHT, intrinsics()) for r, p in places]).astype(np.float32)
    cam_from_world = np.stack([np.column_stack([r.T, -r.T @ p]) for r, p in places])
    spans = [slice(SHIFT * c, SHIFT * c + frames) for c in range(cameras)]
    return tuple(np.stack([part[span] for span in spans]) for part in (images, depths, cam_from_world))  # type: ignore[return-value]


def walls(cameras: int = 1, frames: int = 8, step: float = 0.05) -> Arrays:
    """Arrays of a clip of a still scene under moving cameras, in the documented layout; `masks` apart."""
    images, depths, cam_from_world = _walls(cameras, frames, step)
    lens = intrinsics()
    lens[:2, 2] -= 0.5  # here, pixel centres are whole numbers
    return {
        "rgbs": images.transpose(0, 1, 4, 2, 3),
        "depths": depths[:, :, None],
        "intrs": np.tile(lens, (cameras, frames, 1, 1)),
        "extrs": cam_from_world,
        "camera_ids": np.array([f"cam{number}" for number in range(cameras)]),
    }


def moving_plane(frames: int, velocity_px: tuple[float, float], size: tuple[int, int] = (160, 120)) -> Arrays:
    """A textured plane 2 m away that moves across a camera at rest."""
    rng = np.random.default_rng(3)
    noise = rng.integers(0, 256, (size[1] // 3 + 60, size[0] // 3 + 60, 3), np.uint8)
    texture = cv2.GaussianBlur(cv2.resize(noise, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC), (0, 0), 1.0)
    images = []
    for number in range(frames):
        move = np.array([[1, 0, velocity_px[0] * number - 60], [0, 1, velocity_px[1] * number - 60]])
        images.append(cv2.warpAffine(texture, move, size, flags=cv2.INTER_CUBIC))
    lens = np.array([[150.0, 0, (size[0] - 1) / 2], [0, 150.0, (size[1] - 1) / 2], [0, 0, 1]])
    return {
        "rgbs": np.stack(images)[None].transpose(0, 1, 4, 2, 3),
        "depths": np.full((1, frames, 1, size[1], size[0]), 2.0, np.float32),
        "intrs": np.tile(lens, (1, frames, 1, 1)),
        "extrs": np.tile(np.eye(4)[:3], (1, frames, 1, 1)),
    }


def box_masks(arrays: Arrays, names: tuple[str, ...] = ("instance_0",), box: Any = BOX) -> Arrays:
    """A rectangle in every frame, for each name."""
    cameras, frames = arrays["rgbs"].shape[:2]
    mask = np.zeros((cameras, frames, *arrays["rgbs"].shape[3:]), bool)
    mask[(slice(None), slice(None), *box)] = True
    return dict.fromkeys(names, mask)


def write_plain(path: Path, arrays: Arrays, masks: Arrays, contact: dict[str, dict[str, int]] | None = None) -> Path:
    """A clip in our layout."""
    more: dict[str, Any] = {f"sam2_masks/{name}": mask for name, mask in masks.items()}
    if contact is not None:
        more["sam2_contact_frames"] = json.dumps(contact)
    np.savez(path, **{**arrays, **more})
    return path


def write_documented(
    path: Path, arrays: Arrays, masks: Arrays, contact: dict[str, dict[str, int]] | None = None
) -> Path:
    """A clip in the documented layout: pickled dictionaries."""
    more: dict[str, Any] = {"sam2_masks": np.array(masks, dtype=object)}
    if contact is not None:
        more["sam2_contact_frames"] = np.array(contact, dtype=object)
    np.savez_compressed(path, **{**arrays, **more})
    return path


def write_with_pickle(path: Path, arrays: Arrays, member: str, pickled: bytes) -> Path:
    """A clip one of whose arrays of objects is these bytes."""
    plain: dict[str, Any] = dict(arrays)
    np.savez(path, **plain)
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"shape": (), "fortran_order": False, "descr": "|O"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{member}.npy", head.getvalue() + pickled)
    return path


def pickled_object(content: object, protocol: int = 4) -> bytes:
    """As NumPy pickles an array of one object."""
    return pickle.dumps(np.array(content, dtype=object), protocol)


def unpacked(folder: Path, arrays: Arrays, masks: Arrays, contact: dict[str, dict[str, int]] | None = None) -> Clip:
    """The clip of these arrays."""
    folder.mkdir(parents=True)
    npz = write_plain(folder.with_suffix(".npz"), arrays, masks, contact)
    unpack_clip(npz, "sam2_masks", folder, lambda *_: None)
    return Clip(folder)
