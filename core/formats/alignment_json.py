"""`alignment.json`: how each window lies in the merged model, and how well windows agree."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Transform(BaseModel):
    """`y = scale * rotation @ x + translation`; the rotation's rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    scale: float
    rotation: list[list[float]]
    translation: list[float]


class WindowAlignment(BaseModel):
    """A window in the merged model.

    Attributes:
        window: its number.
        status: `aligned`; `rejected`, it has a model that does not fit the others; `failed`, it has none.
        reason: why it is not aligned.
        merged_from_window: takes the window's frame to the merged model's; null where too few points determine it.
        points: it has in common with the merged model.
        inliers: of these, that the transform explains.
        median_residual: of the inliers, as a share of a point's distance from the camera.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    window: int
    status: Literal["aligned", "rejected", "failed"]
    reason: str | None = None
    merged_from_window: Transform | None = None
    points: int = 0
    inliers: int = 0
    median_residual: float | None = None


class PairAlignment(BaseModel):
    """Two windows laid over each other.

    Attributes:
        source, target: their numbers.
        shared_frames: frames that both have; 0: they share matches only.
        points: in common.
        inliers: of these, that one similarity explains.
        target_from_source: that similarity; null where there is none.
        median_residual: of the inliers, as a share of a point's distance from the camera.
        reason: why there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: int
    target: int
    shared_frames: int
    points: int
    inliers: int
    target_from_source: Transform | None = None
    median_residual: float | None = None
    reason: str | None = None


class ReferenceErrors(BaseModel):
    """How far the merged model's cameras are from reference poses, after aligning it with them.

    Attributes:
        images: with a reference.
        scale: that was applied to the merged model.
        position_rmse, position_median, position_max: in units of the reference.
        rotation_mean_deg, rotation_max_deg: null where the reference has positions only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    images: int
    scale: float
    position_rmse: float
    position_median: float
    position_max: float
    rotation_mean_deg: float | None
    rotation_max_deg: float | None


class FrameError(BaseModel):
    """A frame's distance from its reference, and angle, after alignment."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    position: float
    rotation_deg: float | None


class Alignment(BaseModel):
    """The whole file.

    Attributes:
        frame: what the merged model's frame and unit are.
        frames, registered: in the input, and in the merged model.
        missing: names of frames that the merged model lacks.
        added: names of frames that no window placed, registered afterwards.
        points, observations, mean_reproj_error_px, mean_track_length: of the merged model.
        windows, pairs: one by one.
        reference, frame_errors: where reference poses were given.
        notes: what was not as planned.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    frame: str
    frames: int
    registered: int
    missing: list[str]
    added: list[str]
    points: int
    observations: int
    mean_reproj_error_px: float
    mean_track_length: float
    windows: list[WindowAlignment]
    pairs: list[PairAlignment]
    reference: ReferenceErrors | None = None
    frame_errors: list[FrameError] = []
    notes: list[str] = []


def write_alignment(path: Path, alignment: Alignment) -> None:
    """Write it."""
    path.write_text(alignment.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_alignment(path: Path) -> Alignment:
    """Read it."""
    return Alignment.model_validate_json(path.read_bytes())
