"""Clips unpacked, instances with their points, batches tracked and merged."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.models.spec import ModelSpec
from core.points.clip import ClipInfo
from core.points.query_item import OWN_POINTS
from core.points.settings import (
    BATCH_RECORDING,
    QUERY_FILE,
    REFINED_FILE,
    SPLIT_FILE,
    TRACKED_FILE,
    MotionMethod,
)
from core.store.digests import sha256_json
from core.store.paths import distinct, inside, slugify
from flows.track_mask_points.plan import Plan
from tasks.deliver import deliver
from tasks.items import Item, ItemRun, Outcome, Stage, item_key, run_items

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


@dataclass(eq=False)
class InstanceRun:
    """An instance in this run.

    Attributes:
        name: as the clip calls it.
        label: as files call it.
        clip: the unpacked clip it is in.
        queries, batches, merged: what became of its points.
        reason: why it failed.
    """

    name: str
    label: str
    clip: Outcome
    queries: Outcome | None = None
    batches: list[Outcome] = field(default_factory=list)
    merged: Outcome | None = None
    reason: str | None = None

    @property
    def outcomes(self) -> list[Outcome]:
        """All there are."""
        return [one for one in (self.queries, *self.batches, self.merged) if one is not None]


def unpack_clips(run: ItemRun, plan: Plan, mask_key: str, resume: bool) -> tuple[list[InstanceRun], list[Outcome]]:
    """Unpack every clip once; its instances, in order, and what became of the clips."""
    items = []
    for clip in plan.clips:
        inputs = {"npz": run.store.digests.file(clip), "mask_key": mask_key}
        items.append(Item(clip.name, inputs, {"npz": str(clip.absolute()), "mask_key": mask_key}, 1.0))
    clips = run_items(run, CLIP, items, resume)
    found = [
        (name, clip)
        for clip in clips
        if clip.record is not None
        for name in (ClipInfo.model_validate(clip.record).instances or [OWN_POINTS])
    ]
    labels = distinct(slugify(name, "instance") for name, _ in found)
    return [InstanceRun(name, label, clip) for (name, clip), label in zip(found, labels, strict=True)], clips


def take_points(run: ItemRun, plan: Plan, instances: Sequence[InstanceRun], resume: bool) -> None:
    """Take every instance's points and split them."""
    what = {"queries": plan.queries.model_dump(mode="json"), "split": plan.split.model_dump(mode="json")}
    items = []
    for one in instances:
        assert one.clip.record is not None
        name = one.name if one.clip.record["instances"] else None
        inputs = {"clip": item_key(CLIP, one.clip.item), "instance": name, **what}
        request = {"clip": str(one.clip.folder.absolute()), "instance": name, **what}
        items.append(Item(one.name, inputs, request, 1.0))
    for one, outcome in zip(instances, run_items(run, QUERIES, items, resume), strict=True):
        one.queries, one.reason = outcome, outcome.reason
        if outcome.record is not None:
            _deliver_points(run, plan, one, outcome)


def _deliver_points(run: ItemRun, plan: Plan, one: InstanceRun, outcome: Outcome) -> None:
    assert outcome.record is not None
    stem, folder = slugify(plan.npz.stem), plan.output / "instances"
    deliver(outcome.folder / QUERY_FILE, inside(folder, f"{stem}_{one.label}_query.npz"), run.store.digests)
    count = len(outcome.record["sizes"])
    batches = inside(folder, f"{one.label}_batches")
    for number in range(count if count > 1 else 0):
        wanted = inside(batches, f"{stem}_{one.label}_query_batch_{number}.npz")
        deliver(outcome.folder / SPLIT_FILE.format(number), wanted, run.store.digests)
    _forget_batches(batches, re.escape(f"{stem}_{one.label}_query") + r"_batch_(\d+)\.npz", count)


def track(run: ItemRun, plan: Plan, instances: Sequence[InstanceRun], settings: TrackSettings, resume: bool) -> None:
    """Track every batch of every instance, and put each where it belongs as soon as it is done."""
    places: dict[str, tuple[InstanceRun, int]] = {}
    items = []
    for one in instances:
        sizes = [] if one.queries is None or one.queries.record is None else one.queries.record["sizes"]
        for number, size in enumerate(sizes):
            item = _batch_item(run, one, number, size, len(sizes), settings)
            places[item.name] = one, number
            items.append(item)

    def settled(outcome: Outcome) -> None:
        one, number = places[outcome.item.name]
        if outcome.record is None:
            one.reason = f"{outcome.item.name}: {outcome.reason}" if one.reason is None else one.reason
        else:
            _deliver_batch(run, plan, one, number, outcome)

    for outcome in run_items(run, TRACK, items, resume, settled):
        places[outcome.item.name][0].batches.append(outcome)


def _batch_item(run: ItemRun, one: InstanceRun, number: int, size: int, total: int, settings: TrackSettings) -> Item:
    assert one.queries is not None
    assert one.clip.record is not None
    name = one.label if total == 1 else f"{one.label} batch {number + 1} of {total}"
    batch = one.queries.folder / SPLIT_FILE.format(number)
    what = {
        "temporal_stride": settings.temporal_stride,
        "spatial_downsample": settings.spatial_downsample,
        "recording_id": settings.recording_id,
        "entity": f"{entity(one)}/batch_{number}",
    }
    inputs = {
        "clip": item_key(CLIP, one.clip.item),
        "batch": run.store.digests.file(batch),
        "tracker": settings.tracker.key,
        **what,
    }
    request = {
        "clip": str(one.clip.folder.absolute()),
        "batch": str(batch.absolute()),
        "tracker": settings.tracker.model_dump(mode="json"),
        **what,
    }
    return Item(name, inputs, request, float(size))


def entity(one: InstanceRun) -> str:
    """An instance's place in recordings."""
    return f"world/instances/{re.sub('[^A-Za-z0-9_.-]', '_', one.label)}"


def _deliver_batch(run: ItemRun, plan: Plan, one: InstanceRun, number: int, outcome: Outcome) -> None:
    assert one.queries is not None
    assert one.queries.record is not None
    stem, total = f"{plan.name}_{one.label}", len(one.queries.record["sizes"])
    name = stem if total == 1 else f"{stem}_batch_{number}"
    deliver(outcome.folder / BATCH_RECORDING, inside(plan.output, f"{name}.rrd"), run.store.digests)
    if total > 1:
        deliver(outcome.folder / TRACKED_FILE, inside(plan.output, f"{name}_tracked.npz"), run.store.digests)


def merge(
    run: ItemRun,
    plan: Plan,
    instances: Sequence[InstanceRun],
    settings: TrackSettings,
    motion: MotionMethod | None,
    min_motion_m: float,
    resume: bool,
) -> None:
    """Merge the batches of every instance that has all of them, and deliver its tracks."""
    whole = [one for one in instances if one.reason is None]
    what: dict[str, Any] = {
        "tracker": settings.tracker.backend,
        "temporal_stride": settings.temporal_stride,
        "spatial_downsample": settings.spatial_downsample,
        "motion": motion,
        "min_motion_m": min_motion_m,
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
        items.append(Item(one.label, inputs, request, 1.0))
    for one, outcome in zip(whole, run_items(run, MERGE, items, resume), strict=True):
        one.merged, one.reason = outcome, outcome.reason
    for one in instances:
        _deliver_merged(run, plan, one, motion is not None)


def _deliver_merged(run: ItemRun, plan: Plan, one: InstanceRun, refined: bool) -> None:
    """Put an instance's tracks where they belong; what an earlier run left there and this one did not make, goes."""
    stem = f"{plan.name}_{one.label}"
    made = one.merged is not None and one.merged.record is not None
    for name, suffix, wanted in ((TRACKED_FILE, "tracked", made), (REFINED_FILE, "refined", made and refined)):
        place = inside(plan.output, f"{stem}_{suffix}.npz")
        if wanted and one.merged is not None:
            deliver(one.merged.folder / name, place, run.store.digests)
        else:
            place.unlink(missing_ok=True)
    done = [number for number, batch in enumerate(one.batches) if batch.record is not None]
    if len(one.batches) > 1 or not done:
        (plan.output / f"{stem}.rrd").unlink(missing_ok=True)
    count = len(one.batches) if len(one.batches) > 1 else 0
    _forget_batches(plan.output, re.escape(stem) + r"_batch_(\d+)(\.rrd|_tracked\.npz)", count, done)


def _forget_batches(folder: Path, name: str, count: int, done: Sequence[int] | None = None) -> None:
    """Remove batches that an earlier run left and this one has not: they are not part of it."""
    for path in folder.iterdir() if folder.is_dir() else ():
        match = re.fullmatch(name, path.name)
        if match and (count < 2 or int(match[1]) >= count or (done is not None and int(match[1]) not in done)):
            path.unlink()


def recording_id(plan: Plan, mask_key: str, digests: Sequence[str]) -> str:
    """The same for all recordings of a run, and for the next run of the same clip under the same name."""
    return sha256_json([plan.name, mask_key, list(digests)])[:32]
