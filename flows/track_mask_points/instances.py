"""Clips unpacked, instances with their points, batches tracked and recorded, instances merged."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import RefusedInput
from core.models.spec import ModelSpec
from core.points.query_item import OWN_POINTS
from core.points.settings import (
    BATCH_RECORDING,
    QUERY_FILE,
    REFINED_FILE,
    SPLIT_FILE,
    TRACKED_FILE,
    MotionMethod,
)
from core.rgbd.clip import ClipInfo
from flows.track_mask_points.names import labels, of_batch
from flows.track_mask_points.plan import Plan
from tasks.inputs import Content
from tasks.items import Item, Outcome, Stage, item_key
from tasks.reporting.delivery import Deliveries, undelivered
from tasks.running import ItemRun, run_items

CLIP = Stage(
    "clip",
    "core.points.clip_item:unpack",
    lambda done: [f"{len(done['camera_ids'])} cameras, {done['frames']} frames, {len(done['instances'])} instances"],
)
QUERIES = Stage(
    "points",
    "core.points.query_item:make_queries",
    lambda done: [f"{done['points']:,} points in {len(done['sizes'])} batches"],
)
TRACK = Stage(
    "track",
    "core.points.track_item:track_batch",
    lambda done: [
        f"{done['points']:,} points, {done['frames']} frames in {done['seconds']:.1f}s, {done['visible']:.0%} visible",
        *done["notes"],
    ],
)
RECORD_BATCH = Stage("record", "core.points.record_item:record_one", lambda _: [])
MERGE = Stage(
    "merge",
    "core.points.merge_item:merge_instance",
    lambda done: [f"{done['points']:,} points, {done['visible']:.0%} visible"],
)


@dataclass(frozen=True)
class TrackSettings:
    """What every batch shares."""

    tracker: ModelSpec
    temporal_stride: int
    spatial_downsample: int
    recording_id: str

    @property
    def sampling(self) -> dict[str, int]:
        """What trackers see of the clip."""
        return {"temporal_stride": self.temporal_stride, "spatial_downsample": self.spatial_downsample}


@dataclass(eq=False)
class InstanceRun:
    """An instance in this run.

    Attributes:
        name: as the clip calls it.
        label: as files call it.
        clip: the unpacked clip it is in.
        queries, batches, merged: what became of its points.
        failures: what of its tracking failed, and why: it has no tracks then.
        undelivered: what else is not where it was wanted, and why.
    """

    name: str
    label: str
    clip: Outcome
    queries: Outcome | None = None
    batches: list[Outcome] = field(default_factory=list)
    merged: Outcome | None = None
    failures: list[tuple[str, str]] = field(default_factory=list)
    undelivered: list[tuple[str, str]] = field(default_factory=list)

    @property
    def shortcomings(self) -> list[tuple[str, str]]:
        """All that failed, or could not be delivered."""
        return [*self.failures, *self.undelivered]

    @property
    def outcomes(self) -> list[Outcome]:
        """All there are."""
        return [one for one in (self.queries, *self.batches, self.merged) if one is not None]

    @property
    def sizes(self) -> list[int]:
        """Points in each batch."""
        return [] if self.queries is None or self.queries.record is None else list(self.queries.record["sizes"])

    def failed(self, what: str, outcome: Outcome) -> None:
        """Note why there is no such outcome, if there is none."""
        if outcome.record is None:
            self.failures.append((what, outcome.reason or "failed"))

    def deliver(self, deliveries: Deliveries, made: Path, *place: str) -> None:
        """Put a file where it belongs; where that cannot be done, it is noted, and its tracks are kept."""
        try:
            deliveries.add(made, *place)
        except (OSError, RefusedInput) as error:
            self.undelivered.append((self.name, undelivered(error)))


def unpack_clips(run: ItemRun, plan: Plan, mask_key: str) -> tuple[list[InstanceRun], list[Outcome]]:
    """Unpack every clip once; its instances, in order, and what became of the clips."""
    items = []
    for clip in plan.clips:
        request = {"npz": str(clip.absolute()), "mask_key": mask_key}
        items.append(Item(clip.name, {"mask_key": mask_key}, request, float(clip.stat().st_size)))
    clips = run_items(run, CLIP, items, inputs=Content(run.store, "npz"))
    found = [
        (name, clip)
        for clip in clips
        if clip.record is not None
        for name in (ClipInfo.model_validate(clip.record).instances or [OWN_POINTS])
    ]
    names = labels(name for name, _ in found)
    return [InstanceRun(name, label, clip) for (name, clip), label in zip(found, names, strict=True)], clips


def take_points(run: ItemRun, plan: Plan, instances: Sequence[InstanceRun], deliveries: Deliveries) -> None:
    """Take every instance's points, split them, and deliver them."""
    what = {"queries": plan.queries.model_dump(mode="json"), "split": plan.split.model_dump(mode="json")}
    items = []
    for one in instances:
        assert one.clip.record is not None
        name = one.name if one.clip.record["instances"] else None
        inputs = {"clip": item_key(CLIP, one.clip.item), "instance": name, **what}
        request = {"clip": str(one.clip.folder.absolute()), "instance": name, **what}
        items.append(Item(one.name, inputs, request, 1.0))
    for one, outcome in zip(instances, run_items(run, QUERIES, items), strict=True):
        one.queries = outcome
        one.failed(one.name, outcome)
        if outcome.record is not None:
            _deliver_points(plan, one, outcome.folder, deliveries)


def _deliver_points(plan: Plan, one: InstanceRun, made: Path, deliveries: Deliveries) -> None:
    query = f"{plan.stem}_{one.label}_query"
    one.deliver(deliveries, made / QUERY_FILE, "instances", f"{query}.npz")
    for number in range(len(one.sizes) if len(one.sizes) > 1 else 0):
        place = ("instances", f"{one.label}_batches", f"{query}_batch_{number}.npz")
        one.deliver(deliveries, made / SPLIT_FILE.format(number), *place)


def track(
    run: ItemRun, instances: Sequence[InstanceRun], settings: TrackSettings
) -> list[tuple[InstanceRun, int, Outcome]]:
    """Track every batch of every instance; those that could be, with their numbers."""
    batches = [(one, number) for one in instances for number in range(len(one.sizes))]
    items = [_track_item(run, one, number, settings) for one, number in batches]
    tracked = []
    for (one, number), outcome in zip(batches, run_items(run, TRACK, items), strict=True):
        one.batches.append(outcome)
        one.failed(outcome.item.name, outcome)
        if outcome.record is not None:
            tracked.append((one, number, outcome))
    return tracked


def _track_item(run: ItemRun, one: InstanceRun, number: int, settings: TrackSettings) -> Item:
    assert one.queries is not None
    batch, total = one.queries.folder / SPLIT_FILE.format(number), len(one.sizes)
    inputs = {
        "clip": item_key(CLIP, one.clip.item),
        "batch": run.store.digests.file(batch),
        "tracker": settings.tracker.key,
        **settings.sampling,
    }
    request = {
        "clip": str(one.clip.folder.absolute()),
        "batch": str(batch.absolute()),
        "tracker": settings.tracker.model_dump(mode="json"),
        **settings.sampling,
    }
    name = one.name if total == 1 else f"{one.name} batch {number + 1} of {total}"
    return Item(name, inputs, request, float(one.sizes[number]))


def record_batches(
    run: ItemRun,
    plan: Plan,
    tracked: Sequence[tuple[InstanceRun, int, Outcome]],
    settings: TrackSettings,
    deliveries: Deliveries,
) -> None:
    """Make a recording of each batch, apart from its tracks: another name does not track anything again."""
    items = []
    for one, number, batch in tracked:
        what = {"label": one.label, "number": number, "recording_id": settings.recording_id, **settings.sampling}
        inputs = {"clip": item_key(CLIP, one.clip.item), "batch": item_key(TRACK, batch.item), **what}
        request = {"clip": str(one.clip.folder.absolute()), "batch": str(batch.folder.absolute()), **what}
        items.append(Item(f"{batch.item.name} recording", inputs, request, 1.0))
    for (one, number, batch), recorded in zip(tracked, run_items(run, RECORD_BATCH, items), strict=True):
        if recorded.record is None:  # tracks do not depend on their recording
            one.undelivered.append((recorded.item.name, recorded.reason or "failed"))
        else:
            name = f"{plan.name}_{of_batch(one.label, number, len(one.sizes))}"
            one.deliver(deliveries, recorded.folder / BATCH_RECORDING, f"{name}.rrd")
            if len(one.sizes) > 1:
                one.deliver(deliveries, batch.folder / TRACKED_FILE, f"{name}_tracked.npz")


def merge(
    run: ItemRun,
    plan: Plan,
    instances: Sequence[InstanceRun],
    settings: TrackSettings,
    motion: MotionMethod | None,
    min_motion_m: float,
    deliveries: Deliveries,
) -> None:
    """Merge the batches of every instance that has all of them, and deliver its tracks."""
    whole = [one for one in instances if not one.failures]
    what: dict[str, Any] = {
        "tracker": settings.tracker.backend,
        "motion": motion,
        "min_motion_m": min_motion_m,
        **settings.sampling,
    }
    items = []
    for one in whole:
        assert one.queries is not None
        inputs = {
            "queries": item_key(QUERIES, one.queries.item),
            "batches": [item_key(TRACK, batch.item) for batch in one.batches],
            **what,
        }
        request = {
            "clip": str(one.clip.folder.absolute()),
            "query": str((one.queries.folder / QUERY_FILE).absolute()),
            "batches": [str(batch.folder.absolute()) for batch in one.batches],
            **what,
        }
        items.append(Item(one.name, inputs, request, 1.0))
    for one, outcome in zip(whole, run_items(run, MERGE, items), strict=True):
        one.merged = outcome
        one.failed(one.name, outcome)
        made = [(TRACKED_FILE, "tracked"), *([(REFINED_FILE, "refined")] if motion is not None else [])]
        for file, suffix in made if outcome.record is not None else []:
            one.deliver(deliveries, outcome.folder / file, f"{plan.name}_{one.label}_{suffix}.npz")
