"""Groups of `reconstruct_windows`'s parameters; two more are `FeatureSettings` and `VggtSettings`, of `core`."""

from pydantic import Field

from core.reconstruction.settings import CameraType, Mapper
from core.reconstruction.windowing import Tail
from flows.options import Options


class Windows(Options):
    """How the frames are cut into windows."""

    window_batch_size: int = Field(
        4, ge=1, description="Windows in a batch: a folder each, and with vggt one pass of the model."
    )
    window_size: int = Field(8, ge=2, description="Frames in a window: 5 to 10 photographs, 20 to 60 frames of video.")
    window_stride: int = Field(4, ge=1, description="Frames from one window to the next; half a window is usual.")
    tail: Tail = Field(
        "shift",
        description="Shift moves the last window back until it is full; keep makes a shorter one, of half at least; "
        "drop none.",
    )


class Camera(Options):
    """The camera, as far as it is known."""

    shared_camera: bool = Field(
        True, description="One camera for all frames, which then have one size; else one for each."
    )
    camera_type: CameraType = Field(
        "SIMPLE_PINHOLE", description="COLMAP camera model; vggt knows SIMPLE_PINHOLE and PINHOLE."
    )
    focal_length: float | None = Field(
        None, gt=0, description="In pixels, where it is known; then no window changes it."
    )


class Solving(Options):
    """How frames are matched and windows solved."""

    use_ba: bool = Field(True, description="Refine with robust bundle adjustment.")
    max_reproj_error: float = Field(
        8.0,
        gt=0,
        description="In pixels, above which observations are dropped; while mapping, colmap is stricter: 4 at most.",
    )
    mapper: Mapper = Field(
        "auto", description="COLMAP's; auto maps incrementally, and globally where that leaves frames out."
    )
    overlap: int = Field(
        2, ge=1, description="Match each frame with so many next ones (and with the 4th, 8th, 16th … within a window)."
    )
    loops: bool = Field(True, description="Match frames far apart that look alike, too.")
