"""Query points: pixels of a mask, lifted to the world by depth."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from core.errors import BadMedia
from core.geometry.pinhole import back_project
from core.geometry.sim3 import Array
from core.masks import Mask
from core.points.settings import QuerySettings
from core.rgbd.clip import Clip, Depth
from core.rgbd.lifting import depth_near

_STEEPEST = math.tan(math.radians(80))
_DEPTH_NOISE = 0.02


@dataclass(frozen=True, eq=False)
class Queries:
    """N points to track.

    Attributes:
        points: float32 [N, 4]: frame of the clip, x, y, z in the world, in metres.
        cameras: int32 [N], the camera whose depth gave the point.
        dropped: how many pixels were left out, by reason.
    """

    points: npt.NDArray[np.float32]
    cameras: npt.NDArray[np.int32]
    dropped: dict[str, int]


def queries_from_masks(clip: Clip, instance: str, settings: QuerySettings) -> Queries:
    """The points of an instance: its mask's pixels around the anchor frame of each camera, row by row.

    A pixel is left out where its depth is unknown or out of range, and at edges of the depth map, where depth and mask
    may belong to different things.

    Raises:
        BadMedia: not one point; the message says why.
    """
    points, cameras, dropped = [], [], Counter[str]()
    for camera, frame in _views(clip, instance, settings):
        mask = clip.mask(instance, camera, frame)
        found, left_out = _lift(clip, camera, frame, mask, settings)
        dropped.update(left_out)
        if settings.max_points_per_frame is not None and len(found) > settings.max_points_per_frame:
            rng = np.random.default_rng(_seed(settings.seed, instance, clip.info.camera_ids[camera], frame))
            chosen = rng.choice(len(found), settings.max_points_per_frame, replace=False)
            dropped["not drawn"] += len(found) - len(chosen)
            found = found[np.sort(chosen)]
        points.append(np.column_stack([np.full(len(found), float(frame)), found]))
        cameras.append(np.full(len(found), camera, np.int32))
    if sum(map(len, points)) == 0:
        raise BadMedia(_why_none(dropped, settings, clip.has_mask(instance)))
    return Queries(np.concatenate(points).astype(np.float32), np.concatenate(cameras), dict(dropped))


def _views(clip: Clip, instance: str, settings: QuerySettings) -> Iterator[tuple[int, int]]:
    """Camera and frame of each mask to take points from."""
    contact = {} if settings.use_first_frame else clip.info.contact_frames.get(instance, {})
    anchors = contact if contact else dict.fromkeys(clip.info.camera_ids, 0)
    before, after = (0, 0) if settings.use_first_frame else (settings.frames_before, settings.frames_after)
    stride = settings.temporal_stride
    for camera, name in enumerate(clip.info.camera_ids):
        if name not in anchors:
            continue
        first, last = max(0, anchors[name] - before), min(clip.info.frames - 1, anchors[name] + after)
        frames = range(-(-first // stride) * stride, last + 1, stride)  # trackers see these only
        for frame in frames or [anchors[name] // stride * stride]:
            yield camera, frame


def _lift(clip: Clip, camera: int, frame: int, mask: Mask, settings: QuerySettings) -> tuple[Array, dict[str, int]]:
    depth = clip.depth(camera, frame)
    rows, columns = np.nonzero(mask)
    scale_x, scale_y = depth.shape[1] / mask.shape[1], depth.shape[0] / mask.shape[0]
    # Centres are whole numbers, so a pixel reaches half a pixel to each side: its centre lies in this depth pixel.
    xy = np.stack([(columns + 0.5) * scale_x - 0.5, (rows + 0.5) * scale_y - 0.5], -1)
    at = np.floor(xy + 0.5).astype(int)
    own = depth[at[:, 1], at[:, 0]].astype(float)
    z = np.where(own > 0, depth_near(depth, xy, own), 0.0)
    known = z > 0
    in_range = known & (z > settings.min_depth_m) & (z < settings.max_depth_m)
    smooth = ~depth_edges(depth, float(clip.intrinsics[camera, frame, 0, 0]))[at[:, 1], at[:, 0]]
    kept = in_range & smooth
    dropped = {
        "without depth": int((~known).sum()),
        "out of range": int((known & ~in_range).sum()),
        "at a depth edge": int((in_range & ~smooth).sum()),
        "pixels": len(z),
    }
    lifted = back_project(xy[kept], z[kept], clip.intrinsics[camera, frame], clip.cam_from_world[camera, frame])
    return lifted, dropped


def depth_edges(depth: Depth, focal_px: float) -> Mask:
    """Where neighbouring depths differ by more than on a surface steeper than 80 degrees, and 2 % for noise."""
    known = depth > 0
    kernel = np.ones((3, 3), np.uint8)
    farthest = cv2.dilate(np.where(known, depth, np.float32(0)), kernel)
    nearest = cv2.erode(np.where(known, depth, np.float32(np.inf)), kernel)
    most = depth * np.float32(2 * _STEEPEST / focal_px + _DEPTH_NOISE)
    return np.asarray(known & (farthest - nearest > most))


def _seed(seed: int, *names: object) -> list[int]:
    """One for each mask, whatever others there are."""
    return [seed, *hashlib.sha256(repr(names).encode()).digest()[:8]]


def _why_none(dropped: Counter[str], settings: QuerySettings, somewhere: bool) -> str:
    if not somewhere:
        return "its mask is empty in all frames"
    if dropped["pixels"] == 0:
        hint = "leave out --use-first-frame" if settings.use_first_frame else "more --frames-before or --frames-after"
        hint += ", or a smaller --temporal-stride" if settings.temporal_stride > 1 else ""
        return f"its mask is empty in the frames that points are taken from; {hint}"
    reasons = ", ".join(f"{count:,} {why}" for why, count in dropped.items() if why != "pixels" and count)
    return f"none of the mask's {dropped['pixels']:,} pixels can be lifted: {reasons}"
