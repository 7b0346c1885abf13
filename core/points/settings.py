"""How points are taken, split and tracked: what flows decide and items get. Light, JSON-able."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.models.spec import ModelSpec
from core.report.run_facts import RunFacts

Strategy = Literal["temporal", "spatial", "random"]
MotionMethod = Literal["total_displacement", "max_displacement", "std_displacement", "endpoint_distance"]
QUERY_FILE, SPLIT_FILE = "query.npz", "query_batch_{}.npz"
TRACKED_FILE, REFINED_FILE, BATCH_RECORDING = "tracked.npz", "refined.npz", "tracks.rrd"
COMBINED = "combined.rrd"


class Frozen(BaseModel):
    """Cannot be changed, knows all its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class QuerySettings(Frozen):
    """Which pixels of a mask become points.

    Attributes:
        frames_before, frames_after: taken around the anchor frame, both ends included.
        use_first_frame: only the clip's first frame instead.
        temporal_stride: points are taken from multiples of this frame number only, which trackers see.
        min_depth_m, max_depth_m: both excluded.
        max_points_per_frame: of a camera's frame, drawn at random; None: all.
        seed: of that draw.
    """

    frames_before: int = 3
    frames_after: int = 10
    use_first_frame: bool = False
    temporal_stride: int = 1
    min_depth_m: float = 1e-6
    max_depth_m: float = 10.0
    max_points_per_frame: int | None = None
    seed: int = 0


class SplitSettings(Frozen):
    """How points are split.

    Attributes:
        limit: most points in a batch; None: one batch.
        strategy: see `core.points.batching`.
        seed: of the random strategy.
        support: points that every batch has besides its own, for trackers in which points look at each other.
    """

    limit: int | None = None
    strategy: Strategy = "temporal"
    seed: int = 0
    support: int = 0


class ClipRequest(Frozen):
    """A clip to unpack."""

    npz: Path
    mask_key: str


class QueryRequest(Frozen):
    """An instance's points to take and split. `instance` None: the points the clip brings."""

    clip: Path
    instance: str | None
    queries: QuerySettings
    split: SplitSettings


class ViewRequest(Frozen):
    """An unpacked clip, and what of it trackers see: every so many frames, sides divided by so much."""

    clip: Path
    temporal_stride: int
    spatial_downsample: int


class TrackRequest(ViewRequest):
    """A batch to track."""

    batch: Path
    tracker: ModelSpec


class RecordBatchRequest(ViewRequest):
    """A tracked batch to record: the folder of its tracks, the instance's name in the recording, the batch's number."""

    batch: Path
    recording_id: str
    label: str
    number: int


class MergeRequest(ViewRequest):
    """Batches of an instance to put together, and which tracks are to be kept.

    Attributes:
        query: the instance's `query.npz`.
        batches: the folder of each one's tracks.
        motion: how motion is measured; None: nothing is filtered.
        min_motion_m: tracks that move no more than this are static.
    """

    query: Path
    batches: list[Path]
    tracker: str
    motion: MotionMethod | None
    min_motion_m: float


class RecordedInstance(Frozen):
    """An instance in the recording.

    Attributes:
        label: its name in the recording.
        merged: folder of its merged tracks.
        batches: folder of each batch's tracks.
    """

    label: str
    merged: Path
    batches: list[Path]


class RecordRequest(ViewRequest):
    """What goes into the combined recording, besides the clip's scene.

    Attributes:
        instances: with their batches.
        refined: only points that were kept.
    """

    instances: list[RecordedInstance]
    recording_id: str
    refined: bool


class ReportedInstance(Frozen):
    """An instance in the report: the folder of its merged tracks, and the records of its points and of the merging."""

    name: str
    merged: Path
    queries: dict[str, Any]
    figures: dict[str, Any]


class ReportRequest(ViewRequest):
    """What the page shows."""

    title: str
    instances: list[ReportedInstance]
    facts: list[tuple[str, str]]
    run: RunFacts = Field(default_factory=RunFacts)
    failures: list[tuple[str, str]]
