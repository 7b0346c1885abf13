"""RGB-D clips with masks in one NPZ file: the documented layout, and the same without pickles, which we write.

Documented: `rgbs` [C, T, 3, H, W] (or [C, T, H, W, 3]), `depths` [C, T, 1, H, W] (or [C, T, H, W]) in metres, `intrs`
[C, T, 3, 3] (or [C, 3, 3]) in pixels of the depth maps, `extrs` [C, T, 3, 4] (or [C, 3, 4], [..., 4, 4]) world to
camera, `camera_ids`, and a pickled dict of masks [C, T, H, W] by instance. Ours has an array `MASKS/INSTANCE` for each
instance, and JSON text where there was a dict.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import BadMedia, UnsafeFile
from core.geometry.sim3 import Array, nearest_rotation
from core.store.npz import NpzReader
from core.store.safe_pickle import PickledArray
from core.video.limits import MAX_FRAMES, check_size

MAX_CAMERAS = 256
_SMALL, _MOST_POINT_BYTES = 64 * 2**20, 2**30
_FARTHEST_M = 1e6
QUERY_POINTS = "query_points"


@dataclass(frozen=True, eq=False)
class ClipHeader:
    """Shapes, cameras and poses of a clip, checked.

    Attributes:
        camera_ids: one name a camera.
        frames: number of them.
        rgb_size, depth_size: width and height in pixels.
        channels_first: colour images are [3, H, W].
        intrinsics: float64 [C, T, 3, 3].
        cam_from_world: float64 [C, T, 3, 4].
        timestamps: seconds [T], or None.
    """

    camera_ids: list[str]
    frames: int
    rgb_size: tuple[int, int]
    depth_size: tuple[int, int]
    channels_first: bool
    intrinsics: Array
    cam_from_world: Array
    timestamps: list[float] | None


def read_header(npz: NpzReader) -> ClipHeader:
    """Everything but colour, depth and masks.

    Raises:
        BadMedia: an array is missing, or its shape, type or values cannot be right.
        UnsafeFile: the file holds pickled objects where numbers belong.
    """
    missing = [name for name in ("rgbs", "depths", "intrs", "extrs") if name not in npz.members]
    if missing:
        raise BadMedia(f"{npz.path.name}: there is no {', no '.join(missing)}; it has {contents(npz)}")
    cameras, frames, rgb_size, channels_first = _colour(npz)
    depth_size = _depth(npz, cameras, frames)
    intrinsics = _per_frame(npz, "intrs", cameras, frames, ((3, 3),))
    cam_from_world = _per_frame(npz, "extrs", cameras, frames, ((3, 4), (4, 4)))[..., :3, :]
    _check_intrinsics(npz.path.name, intrinsics, depth_size)
    cam_from_world = _checked_poses(npz.path.name, cam_from_world)
    ids = _camera_ids(npz, cameras)
    return ClipHeader(
        ids, frames, rgb_size, depth_size, channels_first, intrinsics, cam_from_world, _timestamps(npz, frames)
    )


def rgb_frames(npz: NpzReader, header: ClipHeader) -> Iterator[npt.NDArray[np.uint8]]:
    """Colour images uint8 [H, W, 3], camera by camera. Raises `BadMedia` for values outside 0..255."""
    most, whole = 0.0, len(header.camera_ids) * header.frames
    for number, block in enumerate(npz.blocks("rgbs", 2)):
        image = block.transpose(1, 2, 0) if header.channels_first else block
        if image.dtype != np.uint8:
            low, high = float(image.min()), float(image.max())
            if not (low >= 0 and high <= 255):  # also where one is not a number
                raise BadMedia(f"{npz.path.name}: rgbs has values from {low:g} to {high:g}, expected are 0 to 255")
            most = max(most, high)
            if image.dtype.kind == "f" and number == whole - 1 and 0 < most <= 1.0:
                raise BadMedia(f"{npz.path.name}: rgbs has values up to {most:g}: multiply them by 255")
            image = np.rint(image).astype(np.uint8)
        yield np.ascontiguousarray(image)


def depth_frames(npz: NpzReader) -> Iterator[npt.NDArray[np.float32]]:
    """Depth maps float32 [H, W], camera by camera, as they are."""
    for block in npz.blocks("depths", 2):
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and so not known
            yield block.reshape(block.shape[-2:]).astype(np.float32)


def plain_instances(npz: NpzReader, mask_key: str) -> list[str]:
    """Names of the instances that have an array of their own, sorted."""
    return sorted(name.partition("/")[2] for name in npz.members if name.startswith(f"{mask_key}/"))


def contents(npz: NpzReader) -> str:
    """Names of some of its arrays, for messages."""
    names = sorted(npz.members)
    return ", ".join(repr(name[:40])[1:-1] for name in names[:10]) + (" …" if len(names) > 10 else "")


def has_masks(npz: NpzReader, mask_key: str) -> bool:
    """Whether there are masks under this key, in either layout."""
    return mask_key in npz.members or bool(plain_instances(npz, mask_key))


def mask_stacks(npz: NpzReader, mask_key: str) -> Iterator[tuple[str, tuple[int, ...], Iterator[npt.NDArray[Any]]]]:
    """Every instance by name: its shape [C, T, H, W], and its masks one by one, camera by camera."""
    if mask_key in npz.members:
        found = npz.plain_object(mask_key)
        if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
            raise UnsafeFile(f"{npz.path.name}: {mask_key} is no dictionary of masks by name")
        for name in sorted(found):
            if not isinstance(found[name], PickledArray):
                raise UnsafeFile(f"{npz.path.name}: {mask_key}[{name!r}] is no array")
            try:
                array = found[name].array()
            except UnsafeFile as error:
                raise UnsafeFile(f"{npz.path.name}: {mask_key}[{name!r}] cannot be read: {error}") from None
            yield name, array.shape, (array.reshape(-1, *array.shape[2:]) if array.ndim == 4 else array).__iter__()
        return
    for name in plain_instances(npz, mask_key):
        member = f"{mask_key}/{name}"
        yield name, npz.header(member).shape, npz.blocks(member, 2)


def contact_key(mask_key: str) -> str | None:
    """Name of the contact frames that belong to masks of this name; None: such masks have none."""
    return mask_key.replace("_masks", "_contact_frames") if "_masks" in mask_key else None


def read_contact_frames(npz: NpzReader, mask_key: str) -> dict[str, dict[str, int]]:
    """By instance and camera, the frame in which contact begins; empty where the file has none.

    Raises:
        BadMedia: it is not that.
    """
    name = contact_key(mask_key)
    if name is None or name not in npz.members:
        return {}
    content = npz.plain_object(name) if npz.header(name).objects else _json(npz, name)
    try:
        return {
            _text(instance): {_text(camera): int(frame) for camera, frame in frames.items()}
            for instance, frames in content.items()
        }
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise BadMedia(f"{npz.path.name}: {name} is not {{instance: {{camera: frame}}}}") from None


def check_contact_frames(
    npz: NpzReader, contact: dict[str, dict[str, int]], camera_ids: list[str], frames_in_clip: int
) -> None:
    """Raises `BadMedia` where contact begins in a camera or frame that is not in the clip."""
    for instance, frames in contact.items():
        for camera, frame in frames.items():
            if camera not in camera_ids or not 0 <= frame < frames_in_clip:
                place = f"camera {camera[:40]!r}, frame {frame}"
                raise BadMedia(f"{npz.path.name}: contact frame of {instance}: {place}: not in the clip")


def read_query_points(npz: NpzReader, header: ClipHeader) -> npt.NDArray[np.float64]:
    """The clip's own points [N, 4]: frame, x, y, z in the world. Raises `BadMedia` where they cannot be that."""
    points = npz.array(QUERY_POINTS, _MOST_POINT_BYTES)
    if points.ndim != 2 or points.shape[1] != 4 or points.dtype.kind not in "fiu" or len(points) == 0:
        found = f"{points.dtype} {list(points.shape)}"
        raise BadMedia(f"{npz.path.name}: {QUERY_POINTS} is {found}, expected are rows of frame, x, y, z")
    points = points.astype(np.float64)
    if not (np.abs(points) < _FARTHEST_M).all():  # also where one is not a number
        raise BadMedia(f"{npz.path.name}: {QUERY_POINTS} holds values that are no positions in metres")
    if points[:, 0].min() < 0 or points[:, 0].max() > header.frames - 1:
        raise BadMedia(f"{npz.path.name}: {QUERY_POINTS} names frames outside 0 to {header.frames - 1}")
    return points


def _colour(npz: NpzReader) -> tuple[int, int, tuple[int, int], bool]:
    header = npz.header("rgbs")
    shape = header.shape
    first, last = len(shape) == 5 and shape[2] == 3, len(shape) == 5 and shape[4] == 3
    if not (first or last) or header.dtype.kind not in "uf":
        found = f"{header.dtype} {list(shape)}"
        raise BadMedia(f"{npz.path.name}: rgbs is {found}, expected is uint8 or float [cameras, frames, 3, H, W]")
    height, width = (shape[3], shape[4]) if first else (shape[2], shape[3])
    if not (1 <= shape[0] <= MAX_CAMERAS and 1 <= shape[1] <= MAX_FRAMES):
        raise BadMedia(f"{npz.path.name}: {shape[0]} cameras, {shape[1]} frames")
    check_size(npz.path.name, width, height)
    return shape[0], shape[1], (width, height), first


def _depth(npz: NpzReader, cameras: int, frames: int) -> tuple[int, int]:
    header = npz.header("depths")
    shape = header.shape
    fits = shape[:2] == (cameras, frames) and (len(shape) == 4 or (len(shape) == 5 and shape[2] == 1))
    if not fits or header.dtype.kind not in "uif":
        found = f"{header.dtype} {list(shape)}"
        raise BadMedia(
            f"{npz.path.name}: depths is {found}, expected is float [{cameras}, {frames}, 1, H, W] in metres"
        )
    check_size(npz.path.name, shape[-1], shape[-2])
    return shape[-1], shape[-2]


def _per_frame(npz: NpzReader, name: str, cameras: int, frames: int, matrices: tuple[tuple[int, int], ...]) -> Array:
    """A matrix for each camera and frame; one for each camera counts for all frames."""
    values = npz.array(name, _SMALL)
    shapes = [shape for matrix in matrices for shape in ((cameras, frames, *matrix), (cameras, *matrix))]
    if values.shape not in shapes or values.dtype.kind not in "fiu":
        found = f"{values.dtype} {list(values.shape)}"
        raise BadMedia(f"{npz.path.name}: {name} is {found}, expected is float {list(shapes[0])}")
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise BadMedia(f"{npz.path.name}: {name} holds values that are not finite numbers")
    if values.ndim == 3:
        values = np.broadcast_to(values[:, None], (cameras, frames, *values.shape[1:]))
    return np.ascontiguousarray(values)


def _check_intrinsics(name: str, intrinsics: Array, depth_size: tuple[int, int]) -> None:
    focal = intrinsics[..., [0, 1], [0, 1]]
    if (focal <= 0).any() or intrinsics[..., 1, 0].any() or not np.allclose(intrinsics[..., 2, :], [0, 0, 1]):
        raise BadMedia(f"{name}: intrs holds no camera matrix: focal lengths are positive, the last row is 0 0 1")
    longest = max(depth_size)
    if focal.max() > 100 * longest or focal.min() < longest / 100:
        range_px = f"{focal.min():g} to {focal.max():g} pixels"
        raise BadMedia(f"{name}: intrs has focal lengths of {range_px}, for depth maps {longest} pixels wide; units?")


def _checked_poses(name: str, cam_from_world: Array) -> Array:
    """The poses, their rotations made exact: files are rounded."""
    rotations = cam_from_world[..., :3]
    if (np.abs(cam_from_world[..., 3]) > _FARTHEST_M).any():
        raise BadMedia(f"{name}: extrs has translations beyond {_FARTHEST_M:,.0f} m; units?")
    products = rotations @ rotations.swapaxes(-1, -2)
    if not np.allclose(products, np.eye(3), atol=1e-2) or (np.linalg.det(rotations) < 0).any():
        raise BadMedia(f"{name}: extrs holds no rotations: expected is camera-from-world [R | t], OpenCV axes")
    return np.concatenate([nearest_rotation(rotations), cam_from_world[..., 3:]], -1)


def _camera_ids(npz: NpzReader, cameras: int) -> list[str]:
    if "camera_ids" not in npz.members:
        return [str(number) for number in range(cameras)]
    header = npz.header("camera_ids")
    if math.prod(header.shape) != cameras:
        raise BadMedia(f"{npz.path.name}: camera_ids is {list(header.shape)}, expected are {cameras} names")
    values = npz.objects("camera_ids") if header.objects else npz.array("camera_ids", _SMALL).ravel().tolist()
    if not all(isinstance(one, str | bytes | int) for one in values):
        raise BadMedia(f"{npz.path.name}: camera_ids holds what is no name")
    ids = [_text(one) for one in values]
    if len(ids) != cameras or len(set(ids)) != cameras:
        raise BadMedia(f"{npz.path.name}: camera_ids are {ids[:10]}, expected are {cameras} different names")
    return ids


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _timestamps(npz: NpzReader, frames: int) -> list[float] | None:
    """Seconds of the frames; None where the file does not say, in numbers that go up."""
    if "timestamps" not in npz.members or npz.header("timestamps").objects:
        return None
    values = npz.array("timestamps", _SMALL)
    if values.shape != (frames,) or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        return None
    return None if (np.diff(values) < 0).any() else [float(value) for value in values]


def _json(npz: NpzReader, name: str) -> Any:
    try:
        return json.loads(str(npz.array(name, _SMALL)))
    except (ValueError, RecursionError):
        raise BadMedia(f"{npz.path.name}: {name} is not JSON text") from None
