"""Whether a camera only turns: then matches are explained by a rotation alone, and no depth can be told."""

from collections.abc import Iterable, Sequence

import numpy as np

from core.geometry.sim3 import Array
from core.reconstruction.features import Features
from core.reconstruction.pairs import read_pairs
from core.reconstruction.settings import FrameRequest, MatchFile

_FOCALS = np.geomspace(0.6, 1.7, 12)  # of the focal length that was taken: it may be a guess
_MOST_MATCHES = 500
_ROUNDS = 3


def parallax_px(frames: Sequence[FrameRequest], matches: Iterable[MatchFile], focal_px: float) -> float | None:
    """By how much the best rotation misses the matches of the pair that it explains worst, in pixels; None without any.

    For each pair the rotation is Kabsch's between bearing vectors (Kabsch, 1976), refitted to the better half; the
    focal length is searched for around `focal_px`. The miss of a pair is the median over its matches.
    """
    by_number = {frame.number: frame for frame in frames if frame.features is not None}
    keypoints: dict[int, Array] = {}
    worst: float | None = None
    for file in matches:
        for pair, geometry in read_pairs(file, set(by_number)):
            for number in pair:
                if number not in keypoints:
                    keypoints[number] = _centred(by_number[number])
            chosen = geometry.matches[:: max(1, len(geometry.matches) // _MOST_MATCHES)]
            one, other = (keypoints[number][chosen[:, side]] for side, number in enumerate(pair))
            worst = max(worst or 0.0, min(_miss_px(one, other, focal_px * share) for share in _FOCALS))
    return worst


def _centred(frame: FrameRequest) -> Array:
    """Key points [N, 2] from the middle of the picture, in pixels."""
    assert frame.features is not None
    xy = np.asarray(Features.read(frame.features).keypoints, np.float64)[:, :2]
    return np.asarray(xy - np.array([frame.width / 2, frame.height / 2]))


def _miss_px(one: Array, other: Array, focal_px: float) -> float:
    first, second = (_bearings(xy, focal_px) for xy in (one, other))
    used = np.ones(len(one), np.bool_)
    miss = np.full(len(one), np.inf)
    for _ in range(_ROUNDS):
        u, _, vt = np.linalg.svd(second[used].T @ first[used])
        rotation = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
        turned = first @ rotation.T
        seen = focal_px * turned[:, :2] / np.maximum(turned[:, 2:], 1e-6)
        miss = np.linalg.norm(seen - other, axis=1)
        used = miss <= np.median(miss)
    return float(np.median(miss))


def _bearings(xy: Array, focal_px: float) -> Array:
    rays = np.column_stack([xy, np.full(len(xy), focal_px)])
    return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))
