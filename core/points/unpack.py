"""An NPZ clip unpacked into a folder of plain arrays, once for all batches, and looked over on the way."""

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import BadMedia, UnsafeFile
from core.formats.clip_npz import (
    QUERY_POINTS,
    ClipHeader,
    check_contact_frames,
    contents,
    depth_frames,
    has_masks,
    mask_stacks,
    read_contact_frames,
    read_header,
    read_query_points,
    rgb_frames,
)
from core.progress import Progress
from core.rgbd.clip import CLIP_FILE, DEPTHS, INTRINSICS, POSES, RGBS, ClipInfo, mask_file
from core.store.npz import NpzReader, write_blocks
from core.video.limits import check_size

MAX_DEPTH_M = 100.0
_MAX_INSTANCES = 10_000
_LEFT_FREE_BYTES = 2**30
_PROPORTION = 0.03


def unpack_clip(path: Path, mask_key: str, folder: Path, report: Progress) -> ClipInfo:
    """Leave the clip in `folder` as `core.rgbd.clip.Clip` reads it.

    Args:
        path: the NPZ file, in the documented layout or ours.
        mask_key: under which name the masks are.
        folder: where the arrays go.
        report: gets images unpacked and expected.

    Raises:
        BadMedia: something in it cannot be right; the message says what.
        UnsafeFile: it holds more than plain data, or more of it than there is room for.
    """
    with NpzReader(path) as npz:
        header = read_header(npz)
        stack = (len(header.camera_ids), header.frames)
        images = math.prod(stack)
        _check_room(npz, images * (3 * math.prod(header.rgb_size) + 4 * math.prod(header.depth_size)), folder)
        colours = _counted(rgb_frames(npz, header), report, 0, 2 * images)
        _write(folder / RGBS, (*stack, *header.rgb_size[::-1], 3), np.uint8, colours)
        maps = _Depths(path.name)
        depths = maps.checked(_counted(depth_frames(npz), report, images, 2 * images))
        _write(folder / DEPTHS, (*stack, *header.depth_size[::-1]), np.float32, depths)
        np.save(folder / INTRINSICS, header.intrinsics)
        np.save(folder / POSES, header.cam_from_world)
        instances, mask_size = _unpack_masks(npz, mask_key, header, folder)
        own = QUERY_POINTS in npz.members and (not instances or "batch_index" in npz.members)
        if own:
            np.save(folder / f"{QUERY_POINTS}.npy", read_query_points(npz, header))
        if not instances and not own:
            has = contents(npz)
            raise BadMedia(f"{path.name}: there are no masks under {mask_key!r} (and no {QUERY_POINTS}); it has {has}")
        contact = {name: frames for name, frames in read_contact_frames(npz, mask_key).items() if name in instances}
        check_contact_frames(npz, contact, header.camera_ids, header.frames)
        warnings = maps.warnings()
        if header.timestamps is None and "timestamps" in npz.members:
            warnings.append(
                f"timestamps are not used: they are not one number for each of {header.frames} frames, going up"
            )
        info = ClipInfo(
            camera_ids=header.camera_ids,
            frames=header.frames,
            rgb_size=header.rgb_size,
            depth_size=header.depth_size,
            instances=[] if own else instances,
            mask_size=mask_size,
            contact_frames=contact,
            query_points=own,
            timestamps=header.timestamps,
            warnings=warnings,
        )
    (folder / CLIP_FILE).write_text(info.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return info


def _check_room(npz: NpzReader, needed: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free - _LEFT_FREE_BYTES:
        raise BadMedia(f"{npz.path.name}: needs {needed:,} bytes more on disk, {free:,} are free")


def _counted(
    frames: Iterator[npt.NDArray[Any]], report: Progress, before: int, total: int
) -> Iterator[npt.NDArray[Any]]:
    for number, frame in enumerate(frames, 1):
        yield frame
        report(before + number, total)


def _write(path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike, parts: Iterator[npt.NDArray[Any]]) -> None:
    with path.open("wb") as stream:
        write_blocks(stream, shape, dtype, parts)


class _Depths:
    """Depth maps on their way: what is no depth becomes 0, and is counted."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._pixels = self._not_finite = self._negative = 0
        self._medians: list[float] = []

    def checked(self, maps: Iterator[npt.NDArray[np.float32]]) -> Iterator[npt.NDArray[np.float32]]:
        """The maps, cleaned. Raises `BadMedia` at the end where they cannot be metres along the optical axis."""
        positive = 0
        for depth in maps:
            finite = np.isfinite(depth)
            negative = finite & (depth < 0)
            good = finite & (depth > 0)
            self._pixels += depth.size
            self._not_finite += int(depth.size - finite.sum())
            self._negative += int(negative.sum())
            positive += int(good.sum())
            if good.any():
                self._medians.append(float(np.median(depth[good])))
            yield np.where(good, depth, np.float32(0))
        if self._negative > positive:
            raise BadMedia(
                f"{self._name}: depths are mostly negative: they count along the optical axis, away from the camera"
            )
        if self._medians and float(np.median(self._medians)) > MAX_DEPTH_M:
            median = f"{np.median(self._medians):g}"
            raise BadMedia(f"{self._name}: depths are {median} in the median: metres are expected (millimetres?)")

    def warnings(self) -> list[str]:
        """What became of values that are no depth."""
        found = {"negative": self._negative, "not finite": self._not_finite}
        return [
            f"depths: {count / self._pixels:.2%} of the values are {what} and count as not known"
            for what, count in found.items()
            if count
        ]


def _unpack_masks(
    npz: NpzReader, mask_key: str, header: ClipHeader, folder: Path
) -> tuple[list[str], tuple[int, int] | None]:
    if not has_masks(npz, mask_key):
        return [], None
    names: list[str] = []
    room = sum(member.file_size for member in npz.members.values())
    size: tuple[int, int] | None = None
    for name, shape, masks in mask_stacks(npz, mask_key):
        expected = (len(header.camera_ids), header.frames)
        if len(shape) != 4 or shape[:2] != expected or 0 in shape:
            shape_found = f"{list(shape)}, expected is [{expected[0]}, {expected[1]}, H, W]"
            raise BadMedia(f"{npz.path.name}: the mask of {name} is {shape_found}")
        check_size(npz.path.name, shape[3], shape[2])
        own = (shape[3], shape[2])
        if size is not None and own != size:
            raise BadMedia(f"{npz.path.name}: the mask of {name} is {own}, of {names[0]} {size} pixels large")
        size = _mask_size(npz.path.name, name, own, header)
        if len(names) == _MAX_INSTANCES:
            raise BadMedia(f"{npz.path.name}: more than {_MAX_INSTANCES:,} instances")
        packed = (*shape[:3], -(-shape[3] // 8))
        room -= math.prod(packed)
        if room < 0:  # one mask under many names
            raise UnsafeFile(f"{npz.path.name}: its masks take more room than the whole file")
        _check_room(npz, math.prod(packed), folder)
        bits = _bits(masks, f"{npz.path.name}: the mask of {name}")
        _write(folder / mask_file(len(names)), packed, np.uint8, bits)
        names.append(name)
    return names, size


def _mask_size(file: str, name: str, size: tuple[int, int], header: ClipHeader) -> tuple[int, int]:
    """The masks' size, which is the colour images' or the depth maps' or of the same proportions."""
    for wide, high in (header.rgb_size, header.depth_size):
        if abs(size[0] * high / (size[1] * wide) - 1) <= _PROPORTION:
            return size
    raise BadMedia(
        f"{file}: the mask of {name} is {size[0]}x{size[1]} pixels, of other proportions than the colour images "
        f"({header.rgb_size[0]}x{header.rgb_size[1]}) and depth maps ({header.depth_size[0]}x{header.depth_size[1]})"
    )


def _bits(masks: Iterator[npt.NDArray[Any]], what: str) -> Iterator[npt.NDArray[np.uint8]]:
    """Masks packed along their rows. Raises `BadMedia` for what is no mask."""
    for mask in masks:
        if mask.dtype.kind not in "biu":
            raise BadMedia(f"{what} is {mask.dtype}: masks are yes or no, put a threshold to scores")
        yield np.packbits(mask != 0, axis=-1)
