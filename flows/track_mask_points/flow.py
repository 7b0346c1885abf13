"""3D point tracks from masks of an RGB-D clip, in batches that change nothing, in one recording."""

from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from core.models.registry import POINT_TRACKERS
from core.rgbd.clip import ClipInfo
from core.store.digests import sha256_json
from core.store.paths import UserPath
from flows.options import BackendOf, Devices, Execution
from flows.track_mask_points.instances import (
    InstanceRun,
    TrackSettings,
    merge,
    record_batches,
    take_points,
    track,
    unpack_clips,
)
from flows.track_mask_points.options import Batching, Queries, Refining
from flows.track_mask_points.plan import Plan, check
from flows.track_mask_points.results import list_failures, make_recording, make_report, note_failures, summarise_run
from tasks.cancellation import how_to_cancel
from tasks.ending import RunEnded
from tasks.items import Outcome, run_name
from tasks.reporting.delivery import Deliveries, deliverable
from tasks.reporting.summary import publish
from tasks.running import item_run, item_runner
from tasks.store import RunStore


def _run_name() -> str:
    return run_name(f"points {Path(str(flow_run.parameters.get('npz'))).stem}")


@flow(name="track-mask-points", flow_run_name=_run_name, task_runner=item_runner())
def track_mask_points(
    npz: UserPath,
    output_dir: UserPath,
    mask_key: str = "sam2_masks",
    tracker: Annotated[str, BackendOf(POINT_TRACKERS)] = "auto",
    base_name: str = "tracking",
    depth_estimator: str = "gt",
    depth_cache_dir: UserPath | None = None,
    skip_split: bool = False,
    instances_dir: UserPath | None = None,
    model_path: UserPath | None = None,
    queries: Queries = Queries(),
    batching: Batching = Batching(),
    refining: Refining = Refining(),
    devices: Devices = Devices(),
    execution: Execution = Execution(),
) -> State[None]:
    """Track every point of instance masks in 3D through an RGB-D clip, in batches, into one Rerun recording.

    Finished batches are kept: run the same command again to go on after an interruption, or to try failures again.

    Args:
        npz: The clip: rgbs, depths (metres), intrs, extrs (camera-from-world), masks; see `maskflow rgbd-to-clip`.
        output_dir: Folder for the results; the state of the run goes below it.
        mask_key: Name of the masks in the file.
        tracker: What follows the points; auto takes the first that is installed, with weights, lk if none.
        base_name: Results are called BASE_TRACKER_INSTANCE.
        depth_estimator: gt, the clip's own depth; others are not built in.
        depth_cache_dir: Not used with gt.
        skip_split: Take instances from files of their own, in instances_dir.
        instances_dir: Folder of NPZSTEM_INSTANCE.npz files, with skip_split.
        model_path: The tracker's weights; where they belong below models/ when left out.
        queries: Which pixels of the masks become points.
        batching: How points are split into batches.
        refining: Which tracks are left out of the refined results.
        devices: Where the work is done.
        execution: How long items may take, and what becomes of those finished before.
    """
    log = get_run_logger()
    log.info(how_to_cancel())
    plan = check(
        npz, output_dir, mask_key, tracker, base_name, depth_estimator, skip_split, instances_dir, model_path,
        queries, batching, devices, execution,
    )  # fmt: skip
    notes = POINT_TRACKERS.notes(tracker, plan.tracker, plan.models)
    if depth_cache_dir is not None:
        notes.append("depth_cache_dir is not used: the clip brings its depth")
    if devices.gpu_ids is not None and not plan.tracker.uses_gpu:
        notes.append(f"gpu_ids is not used: {plan.tracker.name} needs no GPU")
    if batching.max_query_points_per_batch == "auto":
        notes.append(f"At most {plan.split.limit:,} points in a batch")
    for note in notes:
        log.info(note)
    store = RunStore(plan.output)
    try:
        with deliverable(plan.output), item_run(store, plan.placement, None, execution.mode) as run:
            instances, clips = unpack_clips(run, plan, mask_key)
            warnings = _warnings(clips)
            for warning in warnings:
                log.warning(warning)
            # The same for all recordings of a clip under one name, so that those opened together show together.
            recording_id = sha256_json([plan.name, mask_key, [store.digests.file(clip) for clip in plan.clips]])[:32]
            spec = plan.tracker.spec(plan.models, store.digests.content)
            settings = TrackSettings(spec, queries.temporal_stride, queries.spatial_downsample, recording_id)
            deliveries = Deliveries(plan.output, plan.name, store.digests, idle=run.plan is not None)
            take_points(run, plan, instances, deliveries)
            tracked = track(run, instances, settings)
            run.end_plan()
            record_batches(run, plan, tracked, settings, deliveries)
            motion = refining.motion_method if refining.refine else None
            merge(run, plan, instances, settings, motion, refining.min_motion, deliveries)
            done = [one for one in instances if not one.failures]
            failures = list_failures(clips, instances)
            no_recording = make_recording(run, plan, done, settings, refining.refine, deliveries)
            facts = _facts(plan, instances, notes + warnings)
            no_report = make_report(run, plan, done, settings, facts, failures, deliveries)
            broken = [("combined recording", no_recording), ("report", no_report)]
            note_failures(plan, failures + [(what, why) for what, why in broken if why is not None])
            deliveries.finish()
    except RunEnded as ended:
        return ended.state()
    from_batches = _batch_notes(instances)
    for note in from_batches:
        log.info(note)
    return publish(
        summarise_run(plan, clips, instances, broken, refining.refine, notes + warnings + from_batches),
        run,
    )


def _warnings(clips: list[Outcome]) -> list[str]:
    infos = [ClipInfo.model_validate(one.record) for one in clips if one.record is not None]
    return list(dict.fromkeys(warning for info in infos for warning in info.warnings))


def _batch_notes(instances: list[InstanceRun]) -> list[str]:
    """Notes of batches, and points that were taken to other frames."""
    from_batches = [
        f"{batch.item.name}: {note}" for one in instances for batch in one.batches for note in _notes(batch)
    ]
    moved = [(one.name, one.queries.record["moved"]) for one in instances if one.queries and one.queries.record]
    return from_batches + [
        f"{name}: moved to the nearest frame that trackers see: {n:,} points" for name, n in moved if n
    ]


def _notes(batch: Outcome) -> list[str]:
    return [] if batch.record is None else batch.record["notes"]


def _facts(plan: Plan, instances: list[InstanceRun], notes: list[str]) -> list[tuple[str, str]]:
    limit = "none" if plan.split.limit is None else f"{plan.split.limit:,} points, {plan.split.strategy}"
    known = [one.clip.record for one in instances if one.clip.record is not None]
    sizes = [f"{'x'.join(map(str, record['rgb_size']))} pixels" for record in known[:1]]
    taken = "the first frame" if plan.queries.use_first_frame else (
        f"{plan.queries.frames_before} frames before to {plan.queries.frames_after} after contact, else the first frame"
    )  # fmt: skip
    most = plan.queries.max_points_per_frame
    return [
        ("clip", plan.npz.name),
        *(("colour", size) for size in sizes),
        ("points from", taken + ("" if most is None else f", {most:,} drawn from each, seed {plan.queries.seed}")),
        ("most in a batch", limit),
        ("every", f"{plan.queries.temporal_stride} frames"),
        *(("note", note) for note in notes),
    ]
