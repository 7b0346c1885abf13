"""What goes into a detector or a tracker, and what comes out: prompts, detections, masks."""

from dataclasses import dataclass, replace
from math import inf, isfinite

import cv2
import numpy as np

from core.masks import Box, Mask


@dataclass(frozen=True)
class Detection:
    """One thing found: its box, what it was called, and how sure the detector is (0..1); None: it cannot say."""

    box: Box
    label: str
    score: float | None


@dataclass(frozen=True)
class Trust:
    """How far a detector is trusted.

    Attributes:
        min_score: detections under this score start no object.
        unseen_s: seconds for which an object may go undetected before it is lost …
        unseen_rounds: … and at least so many rounds of detection.
        drifted_iou: a mask whose box fits its detection less well than this has drifted, and is set right.
    """

    min_score: float = 0.3
    unseen_s: float = 1.2
    unseen_rounds: int = 10
    drifted_iou: float = 0.5


@dataclass(frozen=True, eq=False)
class Prompt:
    """What to track, on one frame: a box, points, or a finished mask; at least one of them.

    Attributes:
        box: xyxy pixels.
        points: `(x, y, positive)` in pixels; `positive`: on the object, not on the background.
        mask: bool [H, W], taken as it is.
        anchor: of a known object: counts like its first prompt and is remembered as such, whatever was tracked on the
            frame; else it corrects that.
    """

    box: Box | None = None
    points: tuple[tuple[float, float, bool], ...] = ()
    mask: Mask | None = None
    anchor: bool = False

    def __post_init__(self) -> None:
        if self.box is None and self.mask is None and not any(positive for _, _, positive in self.points):
            raise ValueError("a prompt needs a box, a mask, or a point on the object")
        if self.box is not None and not (self.box[0] < self.box[2] < inf and self.box[1] < self.box[3] < inf):
            raise ValueError(f"a box is x0, y0, x1, y1 with x0 < x1 and y0 < y1, not {self.box}")
        if not all(isfinite(x) and isfinite(y) for x, y, _ in self.points):
            raise ValueError("a point's x and y are numbers of pixels")
        if self.mask is not None and (self.mask.ndim != 2 or self.mask.dtype != np.bool_):
            raise ValueError(f"a mask is bool [H, W], not {self.mask.dtype} {self.mask.shape}")


def scaled(prompt: Prompt, size: tuple[int, int], target: tuple[int, int]) -> Prompt:
    """A prompt in pixels of a picture that was resized from `size` to `target`, each width and height."""
    across, down = target[0] / size[0], target[1] / size[1]
    box, mask = prompt.box, prompt.mask
    if mask is not None:
        mask = np.asarray(cv2.resize(mask.astype(np.float32), target, interpolation=cv2.INTER_AREA) >= 0.5, np.bool_)
    return replace(
        prompt,
        box=None if box is None else (box[0] * across, box[1] * down, box[2] * across, box[3] * down),
        points=tuple((x * across, y * down, positive) for x, y, positive in prompt.points),
        mask=mask,
    )


@dataclass(frozen=True, eq=False)
class TrackedMask:
    """An object in one frame: mask bool [H, W] at source resolution, and a score in 0..1 that it is right."""

    mask: Mask
    score: float


@dataclass(frozen=True, eq=False)
class ObjectPrompt:
    """A prompt by hand: which object, from which source frame on; without a `prompt` it is gone from there on."""

    obj_id: int
    source_frame: int
    label: str | None
    prompt: Prompt | None
