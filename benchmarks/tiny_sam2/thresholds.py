"""What a trained head's scores mean: which masks the tracker's rules would doubt, and whether they are wrong.

python -m benchmarks.tiny_sam2.thresholds
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.tiny_sam2.judging import HELD_OUT_SEED, LEAST_PIXELS, Tracked, track
from benchmarks.tiny_sam2.scenes import random_clip
from core.evaluation.davis import region_similarity
from core.models.sam2.own_weights import load_own_weights
from core.weights.catalogue import TINY_SAM2

_CLIPS, _FRAMES, _SIDE = 24, 40, 256
_RIGHT = 0.5  # IoU
_TRIED = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def main() -> None:
    """Print, for each threshold of the score, which share of right and of wrong masks is under it."""
    torch.set_num_threads(1)
    model = load_own_weights(TINY_SAM2, torch.device("cpu"))
    tracked = [
        one
        for seed in range(_CLIPS)
        for clip in [random_clip(np.random.default_rng(2 * HELD_OUT_SEED + seed), _FRAMES, _SIDE, repeat=2)]
        for row in range(clip.masks.shape[1])
        for one in track(model, list(clip.images), list(clip.masks[:, row]))
    ]
    scores, ious, there, empty = (np.array(column) for column in zip(*_frames(tracked), strict=True))
    print(f"{len(scores)} masks of {len(tracked)} objects; {there.mean():.1%} in sight")
    print(f"presence: empty mask on {_share(empty, ~there)} of frames out of sight, {_share(empty, there)} in sight")
    right, wrong = there & (ious >= _RIGHT), ~empty & ~(there & (ious >= _RIGHT))
    print(f"scores: right {_quartiles(scores[right])}, wrong and not empty {_quartiles(scores[wrong])}")
    for threshold in _TRIED:
        under = scores < threshold
        print(f"score < {threshold:.2f}: {_share(under, right)} of the right, {_share(under, wrong)} of the wrong")
    print(f"longest time out of sight after which an object was found again: {_longest_return(tracked)} frames")


def _frames(tracked: list[Tracked]) -> Iterator[tuple[float, float, bool, bool]]:
    for one in tracked:
        for index in range(1, len(one.truth)):
            found, truth = one.found[index], one.truth[index]
            there = bool(np.count_nonzero(truth) >= LEAST_PIXELS)
            iou = region_similarity(found, truth)
            yield one.predicted_iou[index], iou, there, not found.any()


def _longest_return(tracked: list[Tracked]) -> int:
    longest = 0
    for one in tracked:
        away = 0
        for found, truth in zip(one.found, one.truth, strict=True):
            if not truth.any():
                away += 1
            elif region_similarity(found, truth) >= _RIGHT:
                longest, away = max(longest, away), 0
    return longest


def _share(holds: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_]) -> str:
    return f"{holds[among].mean():.1%}" if among.any() else "none"


def _quartiles(values: npt.NDArray[np.float64]) -> str:
    return " / ".join(f"{value:.2f}" for value in np.percentile(values, [5, 25, 50, 75])) if len(values) else "none"


if __name__ == "__main__":
    main()
