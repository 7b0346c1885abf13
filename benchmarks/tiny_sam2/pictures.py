"""A picture of what the tiny model tracks: a row for each clip, what it found in colour over the truth in white."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from sam2.modeling.sam2_base import SAM2Base

from benchmarks.tiny_sam2.judging import HELD_OUT_SEED, track
from benchmarks.tiny_sam2.scenes import random_clip
from core.masks import Mask

_COLOURS = ((255, 90, 60), (70, 220, 90), (90, 150, 255))
_WHITE = (255, 255, 255)
_SIDE = 256


def draw_tracks(model: SAM2Base, path: Path, clips: int = 6, frames: int = 20, shown: int = 5) -> None:
    """Track held-out clips from the boxes of their first frames, and draw some of the frames to `path`."""
    indices = np.linspace(0, frames - 1, shown).round().astype(int)
    rows = [np.hstack(_row(model, HELD_OUT_SEED + seed, frames, indices)) for seed in range(clips)]
    Image.fromarray(np.vstack(rows)).save(path, quality=88)


def _row(model: SAM2Base, seed: int, frames: int, indices: npt.NDArray[np.int64]) -> list[npt.NDArray[np.uint8]]:
    clip = random_clip(np.random.default_rng(seed), frames, _SIDE, repeat=2)
    pictures = [clip.images[index].copy() for index in indices]
    for number in range(clip.masks.shape[1]):
        for one in track(model, list(clip.images), list(clip.masks[:, number])):
            for picture, index in zip(pictures, indices, strict=True):
                _outline(picture, one.truth[index], _WHITE, 1)
                _outline(picture, one.found[index], _COLOURS[number % 3], 2)
    return pictures


def _outline(picture: npt.NDArray[np.uint8], mask: Mask, colour: tuple[int, int, int], width: int) -> None:
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, found, -1, colour, width)
