"""Tracked points on disk: plain arrays in one NPZ file, under the documented names."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import UnsafeFile
from core.geometry.sim3 import Array
from core.store.npz import NpzReader, NpzWriter


@dataclass(frozen=True, eq=False)
class Tracked:
    """N points over T frames.

    Attributes:
        tracks_3d: float32 [T, N, 3], world, metres; NaN before a point's own frame.
        visibilities: bool [T, N].
        valid: bool [T, N], from the point's own frame on: not visible but valid is occluded.
        query_points: float32 [N, 4]: frame of the clip, x, y, z.
        point_index: int64 [N], which of the instance's points these are.
    """

    tracks_3d: npt.NDArray[np.float32]
    visibilities: npt.NDArray[np.bool_]
    valid: npt.NDArray[np.bool_]
    query_points: npt.NDArray[np.float32]
    point_index: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        frames, count = self.tracks_3d.shape[:2]
        flags = (self.visibilities.shape, self.valid.shape)
        rows = (self.query_points.shape, self.point_index.shape)
        if flags != ((frames, count),) * 2 or rows != ((count, 4), (count,)):
            raise ValueError(f"arrays of different lengths: {self.tracks_3d.shape}, {flags}, {rows}")

    def part(self, chosen: npt.NDArray[Any]) -> "Tracked":
        """Some of the points: indices or a mask."""
        return Tracked(
            self.tracks_3d[:, chosen],
            self.visibilities[:, chosen],
            self.valid[:, chosen],
            self.query_points[chosen],
            self.point_index[chosen],
        )


@dataclass(frozen=True, eq=False)
class Setting:
    """What the points were tracked in.

    Attributes:
        frame_index: int64 [T], frames of the clip.
        intrs: float64 [C, T, 3, 3], pixels of what the tracker saw.
        extrs: float64 [C, T, 3, 4], camera-from-world.
        camera_ids: names of the cameras.
        tracker: what tracked.
        temporal_stride, spatial_downsample: what of the clip it saw.
        timestamps: seconds [T]; None: not known.
    """

    frame_index: npt.NDArray[np.int64]
    intrs: Array
    extrs: Array
    camera_ids: tuple[str, ...]
    tracker: str
    temporal_stride: int
    spatial_downsample: int
    timestamps: Array | None = None


def write_tracked(path: Path, tracked: Tracked, setting: Setting, **extra: npt.ArrayLike) -> None:
    """Write a file; equal content gives equal bytes. `extra` arrays stand beside the others."""
    with NpzWriter(path) as npz:
        for part in (tracked, setting):
            for name, value in vars(part).items():
                if value is not None:
                    npz.array(name, value)
        for name, value in extra.items():
            npz.array(name, value)


def read_tracked(path: Path) -> Tracked:
    """The points of a file. Raises `UnsafeFile` where it is none."""
    with NpzReader(path) as npz:
        try:
            return Tracked(**{name: npz.array(name) for name in Tracked.__dataclass_fields__})
        except (ValueError, IndexError) as error:
            raise UnsafeFile(f"{path}: not tracked points ({error})") from None
