"""Groups of `track_mask_points`'s parameters."""

from typing import Annotated, Literal

from pydantic import Field

from core.points.settings import MotionMethod, Strategy
from flows.options import Options


class Queries(Options):
    """Which pixels of the masks become points."""

    frames_before: int = Field(
        3, ge=0, description="Frames before the contact frame (else the first) from which points are taken."
    )
    frames_after: int = Field(10, ge=0, description="Frames after it from which points are taken.")
    use_first_frame: bool = Field(False, description="Take points from the clip's first frame only.")
    min_depth: float = Field(
        1e-6, ge=0, allow_inf_nan=False, description="In metres; pixels nearer than this are left out."
    )
    max_depth: float = Field(
        10.0, gt=0, allow_inf_nan=False, description="In metres; pixels farther than this are left out."
    )
    max_points_per_frame: int | None = Field(
        None, ge=1, description="Take only so many from each camera's frame, drawn at random."
    )
    temporal_stride: int = Field(1, ge=1, description="Track in every N-th frame only; the results have these frames.")
    spatial_downsample: int = Field(
        1, ge=1, le=64, description="Divide the sides of what trackers see by this; quicker, less exact."
    )
    seed: int = Field(0, ge=0, description="Of whatever is drawn at random.")


class Batching(Options):
    """How points are split into batches."""

    max_query_points_per_batch: Annotated[int, Field(ge=1)] | Literal["auto"] | None = Field(
        None,
        description="Split what is more; auto: by tracker and free GPU memory. Not split when left out.",
    )
    batch_strategy: Strategy = Field(
        "temporal",
        description="What stays together: temporal, frames (each batch sees the whole object); spatial, neighbours.",
    )


class Refining(Options):
    """Which tracks are left out of the refined results."""

    refine: bool = Field(False, description="Also write tracks without those that are never visible or do not move.")
    motion_method: MotionMethod = Field("total_displacement", description="How motion is measured for that.")
    min_motion: float = Field(
        0.01, ge=0, allow_inf_nan=False, description="In metres; tracks that move no more than this are static."
    )
