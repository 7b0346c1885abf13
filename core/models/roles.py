"""The roles a model can play. A backend is any class with these methods; it registers in `registry.py`.

A model is loaded once per process; what belongs to one video lives in a session.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from core.masks.region import Region
from core.progress import Progress
from core.prompts import Detection, Prompt, TrackedMask, Trust
from core.rgbd.clip import ClipView
from core.video.frames import RGB


class DetectorSession(Protocol):
    """Detection in one video. It may remember earlier frames; it is shown them in order."""

    def trust_of(self, label: str | None) -> Trust:
        """How far what it finds under a label, and what it does not find, is to be believed."""
        ...

    def detect(self, image: RGB) -> list[Detection]:
        """Everything the prompt names in this frame [H, W, 3]."""
        ...


class Detector(Protocol):
    """Text to boxes."""

    def start(self, prompt: str) -> DetectorSession:
        """A session for one video. Raises `RefusedInput` for a prompt this detector cannot serve."""
        ...


class SegmenterSession(Protocol):
    """Tracking in one video, frame by frame. Objects come and go without touching each other.

    Attributes:
        patience_s: seconds for which an object may be out of sight and still be found again by the session's memory.
    """

    patience_s: float

    def advance(self, image: RGB, upcoming: RGB | None = None) -> dict[int, TrackedMask]:
        """Go to the next frame [H, W, 3]: every object's mask there, by object id.

        A model may begin with the `upcoming` frame, where it is known, while the host looks at these masks; the
        next `advance` must then be given the same array.
        """
        ...

    def add(self, obj_id: int, prompt: Prompt) -> TrackedMask:
        """Start an object on the present frame, or set a known one right; the others stay as they are."""
        ...

    def drop(self, obj_id: int) -> None:
        """Forget an object."""
        ...

    def cut(self) -> None:
        """The next frame begins another shot: no object is near where it was."""
        ...

    def save(self, path: Path) -> None:
        """Write the session's state, atomically. A restored one goes on with the next frame, the same to the bit.

        The present frame is not kept: prompts come after the next `advance`.
        """
        ...


class VideoSegmenter(Protocol):
    """Prompts to masks over time."""

    def start(self) -> SegmenterSession:
        """A session for one video."""
        ...

    def restore(self, path: Path) -> SegmenterSession:
        """The session saved at `path`, after the frame it was saved at. Raises `UnsafeFile` where it does not fit."""
        ...


@dataclass(frozen=True, eq=False)
class GeneratedMask:
    """One thing in an image, found without a prompt.

    Attributes:
        region: its mask, cropped.
        predicted_iou: the model's own guess of how right it is, 0..1.
        stability: IoU of the mask cut at a lower and at a higher threshold, 0..1.
        point: x, y in pixels of the point it was grown from.
    """

    region: Region
    predicted_iou: float
    stability: float
    point: tuple[float, float]


class MaskGenerator(Protocol):
    """An image to the masks of everything in it; they may overlap."""

    def generate(self, image: RGB) -> list[GeneratedMask]:
        """Masks of one image, uint8 RGB [H, W, 3]."""
        ...


class PromptedSegmenter(Protocol):
    """Prompts in one image to masks."""

    def segment(self, image: RGB, prompts: Sequence[Prompt]) -> list[TrackedMask]:
        """A mask for each prompt, in their order; `image` is uint8 RGB [H, W, 3]."""
        ...


@dataclass(frozen=True, eq=False)
class WindowGeometry:
    """What a network says of a window of S frames, each a square of `side` pixels, in a frame and scale of its own.

    Attributes:
        cam_from_world: float32 [S, 3, 4], OpenCV axes.
        intrinsics: float32 [S, 3, 3], in pixels of the square.
        depth: float32 [S, side, side], along the optical axis.
        confidence: float32 [S, side, side], from 1 up.
    """

    cam_from_world: npt.NDArray[np.float32]
    intrinsics: npt.NDArray[np.float32]
    depth: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]

    def world_points(self) -> npt.NDArray[np.float32]:
        """Each pixel's point [S, side, side, 3] in the window's frame; the first pixel's centre is 0.5, 0.5."""
        side = self.depth.shape[-1]
        rows, columns = np.mgrid[:side, :side].astype(np.float32) + np.float32(0.5)
        focal, centre = self.intrinsics[:, [0, 1], [0, 1]], self.intrinsics[:, :2, 2]
        x = (columns - centre[:, 0, None, None]) / focal[:, 0, None, None] * self.depth
        y = (rows - centre[:, 1, None, None]) / focal[:, 1, None, None] * self.depth
        seen = np.stack([x, y, self.depth], -1) - self.cam_from_world[:, None, None, :, 3]
        turned = np.einsum("sij,shwi->shwj", self.cam_from_world[:, :, :3], seen)
        return np.asarray(turned, np.float32)


@dataclass(frozen=True, eq=False)
class WindowTracks:
    """P points followed through a window of S frames.

    Attributes:
        xy: [S, P, 2], in pixels of the squares that were tracked on.
        visibility: [S, P], 0..1.
        xyz: [P, 3], in the window's frame.
        colours: uint8 [P, 3].
    """

    xy: npt.NDArray[np.float64]
    visibility: npt.NDArray[np.float64]
    xyz: npt.NDArray[np.float64]
    colours: npt.NDArray[np.uint8]


class WindowReconstructor(Protocol):
    """Windows of frames to poses and depth, by a network; frames are squares, uint8 RGB [1024, 1024, 3]."""

    def predict(self, windows: Sequence[Sequence[RGB]], most: int) -> list[WindowGeometry]:
        """The geometry of windows of equal length, at most `most` in one pass, fewer where memory runs out."""
        ...


@dataclass(frozen=True, eq=False)
class PointTracks:
    """N points over T frames.

    Attributes:
        xyz: float32 [T, N, 3], world, metres; NaN before a point's own frame.
        visible: bool [T, N]; not visible but valid: occluded, out of sight or lost.
        valid: bool [T, N], from the point's own frame on.
        support: float32 [T, M, 3], tracks of the support points, where the tracker uses them.
        notes: what a person should know.
    """

    xyz: npt.NDArray[np.float32]
    visible: npt.NDArray[np.bool_]
    valid: npt.NDArray[np.bool_]
    support: npt.NDArray[np.float32] | None = None
    notes: tuple[str, ...] = ()


class PointTracker(Protocol):
    """3D points through an RGB-D clip."""

    def track(
        self,
        view: "ClipView",
        queries: npt.NDArray[np.float64],
        support: npt.NDArray[np.float64],
        report: Progress,
    ) -> PointTracks:
        """Tracks of points [N, 4]: frame of the view, x, y, z in the world.

        Support points [M, 4] are tracked beside them where points look at each other: the same for all batches, so that
        each sees the whole object. `report` gets frames done and expected.
        """
        ...
