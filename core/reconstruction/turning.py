"""Whether a camera only turns: then a rotation alone explains the matches, and the matches hold no depth."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from core.geometry.sim3 import Array
from core.reconstruction.features import Features
from core.reconstruction.pairs import read_pairs
from core.reconstruction.settings import FrameRequest, MatchFile

_MOST_MATCHES = 500
_FOCAL_WITHIN, _ANY_FOCAL_WITHIN = 1.4, 3.0  # by which a focal length may be off: a guess, and anything likely
_MOST_DISTORTION = 0.05
_NOISE_PX = 0.2  # a plane that moves sideways looks much like turning: what is missed by more goes on to the mapper
_OFF_PX, _OFF_NOISES = 1.5, 4.0  # a match is off beyond that many pixels, and that many times the median
_SURE_PX = 1.0
_FEW, _MANY = (20, 0.03), (40, 0.1)  # matches off, and their share: enough not to be chance; enough to be sure


@dataclass(frozen=True)
class Turn:
    """How well a rotation explains the matches of a pair.

    Attributes:
        miss_px: median distance of matches from where the rotation has them.
        off: how many are off by more than noise explains: what is near, where the rest is far.
        matches: how many there are.
    """

    miss_px: float
    off: int
    matches: int

    @property
    def has_parallax(self) -> bool:
        """Whether there may be more to the pair than turning."""
        return self.miss_px > _NOISE_PX or self._off_by(*_FEW)

    @property
    def surely_has_parallax(self) -> bool:
        """Whether noise and lens cannot be all there is to it."""
        return self.miss_px > _SURE_PX or self._off_by(*_MANY)

    def _off_by(self, least: int, share: float) -> bool:
        return self.off >= max(least, share * self.matches)


def turning_miss_px(frames: Sequence[FrameRequest], matches: Iterable[MatchFile], focal_px: float) -> float | None:
    """By how much rotations miss the matches, where a camera of about this focal length only turns; else None.

    The largest median of a pair, in pixels. None where a pair has parallax (the first one ends the search), and where
    no pair has matches.
    """
    worst_px: float | None = None
    for turn in _turns(frames, matches, focal_px, _FOCAL_WITHIN):
        if turn.has_parallax:
            return None
        worst_px = max(worst_px or 0.0, turn.miss_px)
    return worst_px


def surely_moves(frames: Sequence[FrameRequest], matches: Iterable[MatchFile], focal_px: float) -> bool:
    """Whether no rotation explains the matches of any pair, whatever the focal length may be."""
    return all(turn.surely_has_parallax for turn in _turns(frames, matches, focal_px, _ANY_FOCAL_WITHIN))


def _turns(
    frames: Sequence[FrameRequest], matches: Iterable[MatchFile], focal_px: float, focal_within: float
) -> Iterator[Turn]:
    """For each pair of frames with matches: how well the best rotation explains them.

    Rotation, focal length and the first coefficient of radial distortion are fitted together by least squares with a
    soft-L1 loss, from the rotation that fits the bearing vectors best (Kabsch, 1976).

    Args:
        frames: with features, or without.
        matches: of these frames, and maybe others.
        focal_px: what is known of the focal length.
        focal_within: factor by which it may be off.
    """
    by_number = {frame.number: frame for frame in frames if frame.features is not None}
    keypoints: dict[int, Array] = {}
    for file in matches:
        for pair, geometry in read_pairs(file, set(by_number)):
            for number in pair:
                if number not in keypoints:
                    keypoints[number] = _centred(by_number[number])
            chosen = geometry.matches[:: max(1, len(geometry.matches) // _MOST_MATCHES)]
            one, other = (keypoints[number][chosen[:, side]] for side, number in enumerate(pair))
            yield _turn(one, other, focal_px, focal_within)


def _centred(frame: FrameRequest) -> Array:
    """Key points [N, 2] from the middle of the picture, in pixels."""
    assert frame.features is not None
    xy = np.asarray(Features.read(frame.features).keypoints, np.float64)[:, :2]
    return np.asarray(xy - np.array([frame.width / 2, frame.height / 2]))


def _turn(one: Array, other: Array, focal_px: float, focal_within: float) -> Turn:
    first, second = (_rays(xy / focal_px, 0.0) for xy in (one, other))
    start = np.array([*Rotation.align_vectors(second, first)[0].as_rotvec(), 0.0, 0.0])
    most = np.array([7.0, 7.0, 7.0, np.log(focal_within), _MOST_DISTORTION])

    def misses(parameters: Array) -> Array:
        focal = focal_px * np.exp(parameters[3])
        turned = _rays(one / focal, parameters[4]) @ Rotation.from_rotvec(parameters[:3]).as_matrix().T
        seen = turned[:, :2] / np.maximum(turned[:, 2:], 1e-3)
        wanted = _rays(other / focal, parameters[4])
        return np.asarray((seen - wanted[:, :2] / wanted[:, 2:]).ravel() * focal)

    fitted = least_squares(misses, start, bounds=(-most, most), loss="soft_l1", f_scale=0.5, max_nfev=60)
    off_px = np.linalg.norm(misses(fitted.x).reshape(-1, 2), axis=1)
    miss_px = float(np.median(off_px))
    off = int(np.count_nonzero(off_px > max(_OFF_PX, _OFF_NOISES * miss_px)))
    return Turn(miss_px, off, len(off_px))


def _rays(xy: Array, distortion: float) -> Array:
    """Bearing vectors [N, 3] of normalised image points [N, 2], their radial distortion taken out to first order."""
    undistorted = xy * (1 - distortion * (xy**2).sum(axis=1, keepdims=True))
    rays = np.column_stack([undistorted, np.ones(len(xy))])
    return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))
