"""A multi-camera RGB-D clip, unpacked: frames are read where they are needed, none is held.

The folder has plain arrays, which the system maps into memory: all workers that track points of one clip share them.
"""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from core.geometry.pinhole import rescaled
from core.geometry.sim3 import Array
from core.masks import Mask
from core.video.frames import RGB

CLIP_FILE, RGBS, DEPTHS, INTRINSICS, POSES = "clip.json", "rgbs.npy", "depths.npy", "intrinsics.npy", "poses.npy"
Depth = npt.NDArray[np.float32]
"""Metres along the optical axis, float32 [H, W]; 0: not known."""


class ClipInfo(BaseModel):
    """What there is to know of a clip without opening its arrays.

    Attributes:
        camera_ids: names of the cameras.
        frames: number of them; the same for all cameras.
        rgb_size, depth_size: width and height in pixels.
        instances: names of the masks, as they are numbered in files.
        mask_size: width and height of the masks, in pixels; None without masks.
        contact_frames: by instance and camera, the frame from which its points are taken.
        query_points: the clip brings its own points.
        timestamps: seconds, one for each frame; None: not known.
        warnings: what a person should know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    camera_ids: list[str]
    frames: int
    rgb_size: tuple[int, int]
    depth_size: tuple[int, int]
    instances: list[str]
    mask_size: tuple[int, int] | None = None
    contact_frames: dict[str, dict[str, int]] = {}
    query_points: bool = False
    timestamps: list[float] | None = None
    warnings: list[str] = []


class Clip:
    """An unpacked clip.

    Attributes:
        folder: where its arrays are.
        info: what is in it.
        intrinsics: float64 [C, T, 3, 3], in pixels of the depth maps, centres at whole numbers.
        cam_from_world: float64 [C, T, 3, 4], OpenCV axes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.info = ClipInfo.model_validate(json.loads((folder / CLIP_FILE).read_text(encoding="utf-8")))
        self.intrinsics: Array = np.load(folder / INTRINSICS)
        self.cam_from_world: Array = np.load(folder / POSES)

    @cached_property
    def _rgbs(self) -> npt.NDArray[np.uint8]:
        return np.asarray(self._mapped(RGBS))

    @cached_property
    def _depths(self) -> npt.NDArray[np.float32]:
        return np.asarray(self._mapped(DEPTHS))

    def _mapped(self, name: str) -> npt.NDArray[Any]:
        mapped: npt.NDArray[Any] = np.load(self.folder / name, mmap_mode="r")
        return mapped

    def rgb(self, camera: int, frame: int) -> RGB:
        """Colour image, uint8 [H, W, 3]."""
        return np.asarray(self._rgbs[camera, frame])

    def depth(self, camera: int, frame: int) -> Depth:
        """Depth map [H, W]."""
        return np.asarray(self._depths[camera, frame])

    def mask(self, instance: str, camera: int, frame: int) -> Mask:
        """The instance's mask, bool [H, W] of `mask_size`."""
        assert self.info.mask_size is not None
        number = self.info.instances.index(instance)
        packed = self._mapped(mask_file(number))[camera, frame]
        return np.unpackbits(packed, axis=-1, count=self.info.mask_size[0]).astype(bool)

    def has_mask(self, instance: str) -> bool:
        """The instance's mask is not empty in some frame of some camera."""
        return bool(self._mapped(mask_file(self.info.instances.index(instance))).any())


def mask_file(number: int) -> str:
    """Name of the file with the masks of the instance with this number: bits, packed along the rows."""
    return f"mask_{number}.npy"


class ClipView:
    """A clip as a tracker sees it: fewer frames, smaller images, colour and depth of one size.

    Args:
        clip: the whole clip.
        temporal_stride: from one frame to the next.
        size: width and height in pixels; the colour images' own when left out.

    Attributes:
        clip: the whole clip.
        source_frames: int64 [T], the clip's frames that are seen.
        size: width and height in pixels, of colour and depth.
        intrinsics: [C, T, 3, 3] in these pixels.
        cam_from_world: [C, T, 3, 4].
    """

    def __init__(self, clip: Clip, temporal_stride: int = 1, size: tuple[int, int] | None = None) -> None:
        self.clip = clip
        self._stride = temporal_stride
        self.source_frames = np.arange(0, clip.info.frames, temporal_stride)
        self.size = size or clip.info.rgb_size
        own = clip.intrinsics[:, self.source_frames]
        depth_width, depth_height = clip.info.depth_size
        self.intrinsics = rescaled(own, self.size[0] / depth_width, self.size[1] / depth_height)
        self.cam_from_world = clip.cam_from_world[:, self.source_frames]

    def of_size(self, size: tuple[int, int]) -> "ClipView":
        """The same frames, of this width and height."""
        return ClipView(self.clip, self._stride, size)

    @property
    def cameras(self) -> int:
        """How many there are."""
        return len(self.clip.info.camera_ids)

    @property
    def frames(self) -> int:
        """How many are seen."""
        return len(self.source_frames)

    def rgb(self, camera: int, frame: int) -> RGB:
        """Colour image, uint8 [H, W, 3]; `frame` counts those that are seen."""
        image = self.clip.rgb(camera, int(self.source_frames[frame]))
        if image.shape[1::-1] == self.size:
            return image
        return np.asarray(cv2.resize(image, self.size, interpolation=cv2.INTER_AREA), np.uint8)

    def depth(self, camera: int, frame: int) -> Depth:
        """Depth map [H, W] of the colour image's size: the nearest pixel's, never a mean of two surfaces."""
        depth = self.clip.depth(camera, int(self.source_frames[frame]))
        width, height = self.size
        if depth.shape == (height, width):
            return depth
        return depth[_nearest(height, depth.shape[0])[:, None], _nearest(width, depth.shape[1])[None]]


def _nearest(count: int, of: int) -> npt.NDArray[np.int64]:
    """For each of `count` pixels along a side, the one of `of` pixels in which its centre lies."""
    return np.minimum(((np.arange(count) + 0.5) * (of / count)).astype(np.int64), of - 1)
