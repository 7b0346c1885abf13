"""RGB-D folders, one a camera, and masks of their colour images, to one clip in our NPZ layout."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from core.errors import BadMedia
from core.formats.exchange import results_lines
from core.formats.exchange.model import OBJECT, BadResults, VideoResults
from core.formats.exchange.sources import Sources
from core.formats.id_maps import SUFFIXES as MAP_SUFFIXES
from core.formats.id_maps import read_id_map
from core.formats.rgbd_folder import (
    RgbdFrame,
    list_frames,
    read_cam_from_world,
    read_colour,
    read_depth,
    read_intrinsics,
    register_depth,
    scaled_to,
)
from core.geometry.sim3 import Array
from core.masks import rle
from core.progress import Progress
from core.rgbd.clip import Depth
from core.store.atomic import atomic_file
from core.store.npz import NpzWriter
from core.store.paths import distinct, slugify

MASK_KEY = "sam2_masks"
_T = TypeVar("_T", bound=np.generic)
Packed = dict[str, dict[int, npt.NDArray[np.uint8]]]
"""Masks by instance and frame, bits packed along the rows."""


@dataclass(frozen=True)
class CameraFiles:
    """What one camera left.

    Attributes:
        folder: its frames.
        intrinsics: of the colour images.
        depth_intrinsics: of the depth images; None: these are registered to the colour images already.
        masks: folder of id maps by frame name, or a `results.jsonl` of `track_videos`; None: no masks.
    """

    folder: Path
    intrinsics: Path
    depth_intrinsics: Path | None = None
    masks: Path | None = None


def convert_rgbd(
    cameras: Sequence[CameraFiles], clip: Path, units_per_m: float, report: Progress
) -> tuple[list[str], int]:
    """Write a clip, atomically; memory holds one image at a time, and the masks packed.

    Args:
        cameras: with the same number of frames each.
        clip: the NPZ to make.
        units_per_m: what depth images count, in a metre.
        report: gets images done and expected.

    Returns:
        Names of the instances, and how many frames were left out since a camera's pose is not known there.

    Raises:
        BadMedia, UnsafeFile: a file cannot be used; the message says which.
    """
    frames = [list_frames(camera.folder) for camera in cameras]
    counts = [len(one) for one in frames]
    if len(set(counts)) > 1:
        raise BadMedia(f"cameras have different numbers of frames: {', '.join(map(str, counts))}")
    poses = [[read_cam_from_world(frame.pose) for frame in one] for one in frames]
    known = [number for number in range(counts[0]) if all(one[number] is not None for one in poses)]
    if not known:
        raise BadMedia(f"{cameras[0].folder}: not one frame has a pose: their numbers are not finite")
    sizes = {read_colour(one[0].colour).shape[1::-1] for one in frames}
    depth_sizes = {read_depth(one[0].depth, units_per_m).shape[::-1] for one in frames}
    if len(sizes) > 1 or len(depth_sizes) > 1:
        raise BadMedia("cameras have images of different sizes: make a clip of each")
    (size,), (depth_size,) = sizes, depth_sizes
    masks = [_read_masks(camera, own, size) for camera, own in zip(cameras, frames, strict=True)]
    frames = [[one[number] for number in known] for one in frames]
    names = sorted({name for one in masks for name in one})
    lenses = [_Lens(camera, size, depth_size) for camera in cameras]
    shape = (len(cameras), len(known))
    progress = _Progress(report, shape[0] * shape[1] * (2 + len(names)))
    width, height = size
    with atomic_file(clip) as temporary, NpzWriter(temporary) as npz:
        colours = (
            _checked(progress(read_colour(f.colour)), size, f.colour).transpose(2, 0, 1) for one in frames for f in one
        )
        npz.blocks("rgbs", (*shape, 3, height, width), np.uint8, colours)
        depths = (
            progress(lens.depth(_checked(read_depth(f.depth, units_per_m), depth_size, f.depth)))
            for lens, one in zip(lenses, frames, strict=True)
            for f in one
        )
        npz.blocks("depths", (*shape, 1, depth_size[1], depth_size[0]), np.float32, depths)
        npz.array("intrs", np.stack([np.tile(lens.intrinsics, (len(known), 1, 1)) for lens in lenses]))
        npz.array("extrs", np.array([[one[number] for number in known] for one in poses]))
        npz.array("camera_ids", np.array(distinct(slugify(camera.folder.resolve().name) for camera in cameras)))
        for name in names:
            stack = (progress(mask) for mask in _unpacked(masks, name, known, size))
            npz.blocks(f"{MASK_KEY}/{name}", (*shape, height, width), np.bool_, stack)
    return names, counts[0] - len(known)


class _Lens:
    """A camera's depth, as its colour camera would see it at the depth images' resolution."""

    def __init__(self, camera: CameraFiles, size: tuple[int, int], depth_size: tuple[int, int]) -> None:
        self.intrinsics = scaled_to(read_intrinsics(camera.intrinsics), size, depth_size)
        self._own: Array | None = None
        if camera.depth_intrinsics is not None:
            self._own = read_intrinsics(camera.depth_intrinsics)

    def depth(self, depth: Depth) -> Depth:
        return depth if self._own is None else register_depth(depth, self._own, self.intrinsics)


class _Progress:
    def __init__(self, report: Progress, total: int) -> None:
        self._report, self._total, self._done = report, total, 0

    def __call__(self, image: npt.NDArray[_T]) -> npt.NDArray[_T]:
        self._done += 1
        self._report(self._done, self._total)
        return image


def _checked(image: npt.NDArray[_T], size: tuple[int, int], path: Path) -> npt.NDArray[_T]:
    if image.shape[1::-1] != size:
        raise BadMedia(f"{path.name}: {image.shape[1]}x{image.shape[0]} pixels, the first one has {size[0]}x{size[1]}")
    return image


def _read_masks(camera: CameraFiles, frames: Sequence[RgbdFrame], size: tuple[int, int]) -> Packed:
    if camera.masks is None:
        return {}
    if camera.masks.is_dir():
        found = _from_maps(camera.masks, frames, size)
    else:
        found = _from_results(camera.masks, len(frames), size)
    if not found:
        raise BadMedia(f"{camera.masks}: no masks of these frames in it")
    return found


def _from_maps(folder: Path, frames: Sequence[RgbdFrame], size: tuple[int, int]) -> Packed:
    """Every id above 0 of the maps NAME.png (.npz, .pth) of frames NAME."""
    found: Packed = {}
    for number, frame in enumerate(frames):
        names = [
            stem + suffix for stem in (frame.name, frame.colour.name, frame.colour.stem) for suffix in MAP_SUFFIXES
        ]
        path = next((folder / name for name in names if (folder / name).is_file()), None)
        if path is None:
            continue
        id_map = read_id_map(path)
        _checked(id_map, size, path)
        for one in np.unique(id_map[id_map > 0]).tolist():
            found.setdefault(f"instance_{one}", {})[number] = np.packbits(id_map == one, axis=-1)
    return found


def _from_results(path: Path, frames: int, size: tuple[int, int]) -> Packed:
    """The objects of the one video in a `results.jsonl` that `track_videos` wrote with `--masks`."""
    found: Packed = {}
    try:
        videos = results_lines.read(path, Sources())
        if len(videos) != 1:
            raise BadMedia(f"{path}: holds {len(videos)} videos; give the results of one")
        names = _names(videos[0])
        for frame in videos[0].read():
            for one in frame.objects if frame.source_frame < frames else ():
                if one.rle is None:
                    raise BadMedia(f"{path}: frame {frame.source_frame}: no mask: track with --masks")
                mask = rle.decode(one.rle)
                _checked(mask, size, path)
                found.setdefault(names[one.obj_id], {})[frame.source_frame] = np.packbits(mask, axis=-1)
    except BadResults as error:
        raise BadMedia(str(error)) from None
    return found


def _names(video: VideoResults) -> dict[int, str]:
    """Of each object: its label, with its number where several are called so; without a label `instance_N`."""
    labels = {one.obj_id: slugify(one.label) for frame in video.read() for one in frame.objects if one.label != OBJECT}
    counts = Counter(labels.values())
    ids = {one.obj_id for frame in video.read() for one in frame.objects}
    return {
        obj_id: f"instance_{obj_id}" if obj_id not in labels
        else labels[obj_id] if counts[labels[obj_id]] == 1
        else f"{labels[obj_id]}_{obj_id}"
        for obj_id in ids
    }  # fmt: skip


def _unpacked(
    masks: Sequence[Packed], name: str, frames: Sequence[int], size: tuple[int, int]
) -> Iterator[npt.NDArray[np.bool_]]:
    empty = np.zeros((size[1], size[0]), bool)
    for camera in masks:
        for frame in frames:
            packed = camera.get(name, {}).get(frame)
            yield empty if packed is None else np.unpackbits(packed, axis=-1, count=size[0]).astype(bool)
