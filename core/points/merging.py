"""Batches put together again, in the order the points had; and what splitting changed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.errors import UnsafeFile
from core.formats.tracked_npz import Tracked, read_tracked
from core.geometry.sim3 import Array
from core.store.npz import NpzReader


def merge_batches(points: "np.typing.NDArray[np.float32]", files: Sequence[Path]) -> Tracked:
    """All tracks of an instance in the order of its points [N, 4].

    Args:
        points: all of them.
        files: the batches' `tracked.npz`.

    Raises:
        UnsafeFile: a point is in no batch or in two, or a batch's points are others.
    """
    count = len(points)
    merged: Tracked | None = None
    times = np.zeros(count, np.int64)
    for file in files:
        part = read_tracked(file)
        if merged is None:
            frames = len(part.valid)
            merged = Tracked(
                np.full((frames, count, 3), np.nan, np.float32),
                np.zeros((frames, count), bool),
                np.zeros((frames, count), bool),
                points,
                np.arange(count),
            )
        index = part.point_index
        if len(index) and not (index.min() >= 0 and index.max() < count and (points[index] == part.query_points).all()):
            raise UnsafeFile(f"{file}: its points are not the instance's")
        merged.tracks_3d[:, index] = part.tracks_3d
        merged.visibilities[:, index] = part.visibilities
        merged.valid[:, index] = part.valid
        np.add.at(times, index, 1)
    if merged is None or (times != 1).any():
        raise UnsafeFile(f"{int((times != 1).sum())} of {count} points are not in exactly one batch")
    return merged


def splitting_effect(files: Sequence[Path]) -> dict[str, float] | None:
    """How much the batches disagree about the support points, which all of them tracked.

    Returns:
        median_m, p90_m: distance of a support point, in a frame after its own, from its mean over the batches; None
        where trackers used no support: then splitting changes nothing.
    """
    stacks: list[Array] = []
    for file in files:
        with NpzReader(file) as npz:
            if "support_tracks_3d" in npz.members:
                stacks.append(npz.array("support_tracks_3d").astype(np.float64))
                frames, started = npz.array("frame_index"), npz.array("support_points")[:, 0]
    if len(stacks) < 2:
        return None
    tracks = np.stack(stacks)
    # In its own frame a point is where it is, whoever tracks it.
    known = np.isfinite(tracks).all((0, -1)) & (frames[:, None] > started)
    if not known.any():
        return None
    away = np.linalg.norm(tracks - tracks.mean(0), axis=-1)[:, known]
    return {"median_m": float(np.median(away)), "p90_m": float(np.percentile(away, 90))}
