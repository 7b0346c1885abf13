"""`window_info.txt` and `window_info.json`: what a window is made of and how good its model is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

INFO_TEXT, INFO_JSON = "window_info.txt", "window_info.json"


class FrameInfo(BaseModel):
    """A frame of a window.

    Attributes:
        name: of its image.
        registered: the model has a pose for it.
        observations: points of the model that it sees.
        mean_reproj_error_px: of these.
        reason: why it is not registered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    registered: bool
    observations: int = 0
    mean_reproj_error_px: float | None = None
    reason: str | None = None


class CameraInfo(BaseModel):
    """A camera: COLMAP's model name, size in pixels, parameters in COLMAP's order."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str
    width: int
    height: int
    params: list[float]


class WindowInfo(BaseModel):
    """A window's model, or why there is none.

    Attributes:
        window: its number among all windows.
        first_frame: the first frame's place in the sequence.
        status: `done` or `failed`.
        reason: why it failed.
        backend: what made it.
        method: how: `incremental`, `global`; for VGGT `bundle adjustment`, `bundle adjustment without N frames`,
            `feed-forward`.
        notes: what was not as planned.
        points: of the model.
        mean_reproj_error_px: over all observations.
        mean_track_length: views of a point.
        median_angle_deg: under which points are seen: small angles determine depth badly.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    window: int
    first_frame: int
    status: Literal["done", "failed"]
    reason: str | None = None
    backend: str
    method: str | None = None
    notes: list[str] = []
    frames: list[FrameInfo]
    points: int = 0
    observations: int = 0
    mean_reproj_error_px: float | None = None
    mean_track_length: float | None = None
    median_angle_deg: float | None = None
    cameras: list[CameraInfo] = []

    @property
    def registered(self) -> int:
        """Frames that the model has."""
        return sum(frame.registered for frame in self.frames)


def info_text(window: int, points: int, names: Sequence[str]) -> str:
    """The documented text: window, images, points, and each image's name on a line of its own."""
    lines = [f"Window {window}", f"Images: {len(names)}", f"Points: {points}", *(f"  {name}" for name in names)]
    return "\n".join(lines) + "\n"


def write_window_info(folder: Path, info: WindowInfo) -> None:
    """Write both files into a folder."""
    text = info_text(info.window, info.points, [frame.name for frame in info.frames])
    (folder / INFO_TEXT).write_text(text, encoding="utf-8")
    (folder / INFO_JSON).write_text(info.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_window_info(folder: Path) -> WindowInfo:
    """Read `window_info.json`."""
    return WindowInfo.model_validate_json((folder / INFO_JSON).read_bytes())
