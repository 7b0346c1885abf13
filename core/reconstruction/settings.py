"""Requests and settings of a reconstruction, JSON-able. Light: loads no COLMAP."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

CameraType = Literal["SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV"]
Mapper = Literal["auto", "incremental", "global"]
DEFAULT_FOCAL = 1.2
"""COLMAP's guess of an unknown focal length, as a share of the longer side."""
SPARSE = "sparse"
PAIRS_FILE = "pairs.npz"
ALIGNMENT = "alignment.json"
RECORDING_FILE = "merged.rrd"


class FeatureSettings(BaseModel):
    """How features are found."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    max_image_size: int = Field(
        1024, ge=64, description="Longer sides are scaled down to this, in pixels, to find features."
    )
    max_features: int = Field(4096, ge=64, description="Features kept in a frame, those of the largest scales.")


class VggtSettings(BaseModel):
    """How VGGT's tracks and depth are used; the names are those of the tool this replaces."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="VGGT")
    vis_thresh: float = Field(
        0.2,
        ge=0,
        le=1,
        description="VGGT: without effect below 1: matched features are seen or not, nothing in between.",
    )
    query_frame_num: int = Field(
        8,
        ge=1,
        description="VGGT: frames whose features are matched with all others, for bundle adjustment.",
    )
    max_query_pts: int = Field(4096, ge=64, description="VGGT: features of each of them.")
    conf_thres_value: float = Field(
        5.0,
        ge=1,
        description="VGGT without bundle adjustment: depth confidence above which points are kept.",
    )


class FrameRequest(BaseModel):
    """A frame of a window.

    Attributes:
        number: its place in the sequence from 0; its image id in every model is one more.
        name: of the image, as models name it.
        features: its features on disk; None where it has none.
        width, height: in pixels of the source.
        reason: why it has no features.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    number: int
    name: str
    features: Path | None
    width: int = 0
    height: int = 0
    reason: str | None = None

    @property
    def image_id(self) -> int:
        """As in all models and databases."""
        return self.number + 1


class CameraSettings(BaseModel):
    """The camera.

    Attributes:
        model: COLMAP's name of the camera model.
        shared: one camera for all frames; else one for each.
        focal: start value of the focal length, as a share of the longer side.
        focal_px: the focal length in pixels, where it is known; then it is never changed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: CameraType
    shared: bool
    focal: float
    focal_px: float | None = None

    @property
    def fixed(self) -> bool:
        """The focal length is known."""
        return self.focal_px is not None


class MatchFile(BaseModel):
    """A file of pairs, and which frame of the sequence each of its frames is."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    path: Path
    frames: list[int]


class SolveSettings(BaseModel):
    """How a window is solved.

    Attributes:
        mapper: which of COLMAP's.
        bundle_adjustment: a robust one at the end.
        max_reproj_error: in pixels, above which observations go.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    mapper: Mapper = "auto"
    bundle_adjustment: bool = True
    max_reproj_error: float = 8.0
