"""3D point tracks from masks of an RGB-D clip, in batches that change nothing, in one recording."""

from pathlib import Path
from typing import Annotated, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Cancelled
from pydantic import Field

from core.models.installed import POINT_TRACKERS, choice_notes
from core.points.settings import MotionMethod, Strategy
from core.rgbd.clip import ClipInfo
from core.store.digests import sha256_json
from flows.track_mask_points.instances import (
    InstanceRun,
    TrackSettings,
    merge,
    record_batches,
    take_points,
    track,
    unpack_clips,
)
from flows.track_mask_points.plan import Plan, check
from flows.track_mask_points.results import list_failures, make_recording, make_report, note_failures, summarise_run
from tasks.cancellation import how_to_cancel
from tasks.devices.slots import MAX_SLOTS
from tasks.devices.timeouts import STALL_TIMEOUT_S
from tasks.items import Outcome, run_name
from tasks.reporting.delivery import Deliveries, deliverable
from tasks.reporting.summary import publish
from tasks.running import RunCancelled, item_run, item_runner
from tasks.store import RunStore


def _run_name() -> str:
    return run_name(f"points {Path(str(flow_run.parameters.get('npz'))).stem}")


@flow(name="track-mask-points", flow_run_name=_run_name, task_runner=item_runner())
def track_mask_points(
    npz: Path,
    output_dir: Path,
    mask_key: str = "sam2_masks",
    tracker: Literal["auto", "mvtracker", "spatialtrackerv2", "cotracker3_offline", "cotracker3_online", "lk"] = "auto",
    base_name: str = "tracking",
    frames_before: Annotated[int, Field(ge=0)] = 3,
    frames_after: Annotated[int, Field(ge=0)] = 10,
    use_first_frame: bool = False,
    min_depth: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-6,
    max_depth: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10.0,
    max_points_per_frame: Annotated[int | None, Field(ge=1)] = None,
    temporal_stride: Annotated[int, Field(ge=1)] = 1,
    spatial_downsample: Annotated[int, Field(ge=1, le=64)] = 1,
    depth_estimator: str = "gt",
    depth_cache_dir: Path | None = None,
    max_query_points_per_batch: Annotated[int, Field(ge=1)] | Literal["auto"] | None = None,
    batch_strategy: Strategy = "temporal",
    seed: Annotated[int, Field(ge=0)] = 0,
    refine: bool = False,
    motion_method: MotionMethod = "total_displacement",
    min_motion: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.01,
    skip_split: bool = False,
    instances_dir: Path | None = None,
    model_path: Path | None = None,
    gpu_ids: list[int] | None = None,
    num_workers: Annotated[int | None, Field(ge=1, le=MAX_SLOTS)] = None,
    cluster: str | None = None,
    stall_timeout: Annotated[float, Field(gt=0)] = STALL_TIMEOUT_S,
    item_timeout: Annotated[float | None, Field(gt=0)] = None,
    resume: bool = True,
) -> State[None]:
    """Track every point of instance masks in 3D through an RGB-D clip, in batches, into one Rerun recording.

    Finished batches are kept: run the same command again to go on after an interruption, or to try failures again.

    Args:
        npz: the clip: rgbs, depths (metres), intrs, extrs (camera-from-world), masks; see `maskflow rgbd-to-clip`.
        output_dir: folder for the results; the state of the run goes below it.
        mask_key: name of the masks in the file.
        tracker: what follows the points; auto takes the first that is installed, with weights, lk if none.
        base_name: results are called BASE_TRACKER_INSTANCE.
        frames_before: frames before the contact frame (else the first) from which points are taken.
        frames_after: frames after it from which points are taken.
        use_first_frame: take points from the clip's first frame only.
        min_depth: in metres; pixels nearer than this are left out.
        max_depth: in metres; pixels farther than this are left out.
        max_points_per_frame: take only so many from each camera's frame, drawn at random.
        temporal_stride: track in every N-th frame only; the results have these frames.
        spatial_downsample: divide the sides of what trackers see by this; quicker, less exact.
        depth_estimator: gt, the clip's own depth; others are not built in.
        depth_cache_dir: not used with gt.
        max_query_points_per_batch: split what is more; auto: by tracker and free GPU memory. Not split when left out.
        batch_strategy: what stays together: temporal, frames (each batch sees the whole object); spatial, neighbours.
        seed: of whatever is drawn at random.
        refine: also write tracks without those that are never visible or do not move.
        motion_method: how motion is told for that.
        min_motion: in metres; tracks that move no more than this are static.
        skip_split: take instances from files of their own, in instances_dir.
        instances_dir: folder of NPZSTEM_INSTANCE.npz files, with skip_split.
        model_path: the tracker's weights; where they belong below models/ when left out.
        gpu_ids: GPUs to use; every GPU when left out; lk needs none.
        num_workers: batches tracked at once; one per GPU, or per core, when left out.
        cluster: Dask cluster to spread the work over, with shared storage: tcp://HOST:PORT, or slurm:JOBS.
        stall_timeout: seconds without progress after which an item is killed and has failed.
        item_timeout: seconds after which an item is killed and has failed, progress or not; no limit when left out.
        resume: keep finished batches; no-resume does all anew.
    """
    log = get_run_logger()
    log.info(how_to_cancel())
    plan = check(
        npz=npz,
        output_dir=output_dir,
        mask_key=mask_key,
        tracker=tracker,
        base_name=base_name,
        frames_before=frames_before,
        frames_after=frames_after,
        use_first_frame=use_first_frame,
        min_depth=min_depth,
        max_depth=max_depth,
        max_points_per_frame=max_points_per_frame,
        temporal_stride=temporal_stride,
        depth_estimator=depth_estimator,
        max_query_points_per_batch=max_query_points_per_batch,
        batch_strategy=batch_strategy,
        seed=seed,
        skip_split=skip_split,
        instances_dir=instances_dir,
        model_path=model_path,
        gpu_ids=gpu_ids,
        num_workers=num_workers,
        cluster=cluster,
        stall_timeout=stall_timeout,
        item_timeout=item_timeout,
    )
    notes = choice_notes("Tracker", tracker, plan.tracker, POINT_TRACKERS)
    if depth_cache_dir is not None:
        notes.append("depth_cache_dir is not used: the clip brings its depth")
    for parameter, given in {"model_path": model_path, "gpu_ids": gpu_ids}.items():
        if given is not None and not plan.tracker.uses_gpu:
            notes.append(f"{parameter} is not used: {plan.tracker.name} needs no such thing")
    if max_query_points_per_batch == "auto":
        notes.append(f"At most {plan.split.limit:,} points in a batch")
    for note in notes:
        log.info(note)
    store = RunStore(plan.output)
    try:
        with deliverable(plan.output), item_run(store, plan.devices, None) as run:
            instances, clips = unpack_clips(run, plan, mask_key, resume)
            warnings = _warnings(clips)
            for warning in warnings:
                log.warning(warning)
            # The same for all recordings of a clip under one name, so that those opened together show together.
            recording_id = sha256_json([plan.name, mask_key, [store.digests.file(clip) for clip in plan.clips]])[:32]
            spec = plan.tracker.spec(store.digests.content)
            settings = TrackSettings(spec, temporal_stride, spatial_downsample, recording_id)
            deliveries = Deliveries(plan.output, plan.name, store.digests)
            take_points(run, plan, instances, deliveries, resume)
            tracked = track(run, instances, settings, resume)
            record_batches(run, plan, tracked, settings, deliveries, resume)
            motion = motion_method if refine else None
            merge(run, plan, instances, settings, motion, min_motion, deliveries, resume)
            done = [one for one in instances if not one.failures]
            failures = list_failures(clips, instances)
            no_recording = make_recording(run, plan, done, settings, refine, deliveries, resume)
            facts = _facts(plan, instances, notes + warnings)
            no_report = make_report(run, plan, done, settings, facts, failures, deliveries, resume)
            broken = [("combined recording", no_recording), ("report", no_report)]
            note_failures(plan, failures + [(what, why) for what, why in broken if why is not None])
            deliveries.finish()
    except RunCancelled as cancelled:
        return Cancelled(message=str(cancelled))
    told = _batch_notes(instances)
    for note in told:
        log.info(note)
    return publish(summarise_run(plan, clips, instances, broken, refine, notes + warnings + told))


def _warnings(clips: list[Outcome]) -> list[str]:
    infos = [ClipInfo.model_validate(one.record) for one in clips if one.record is not None]
    return list(dict.fromkeys(warning for info in infos for warning in info.warnings))


def _batch_notes(instances: list[InstanceRun]) -> list[str]:
    """What batches have to tell, and points that were taken to other frames."""
    told = [f"{batch.item.name}: {note}" for one in instances for batch in one.batches for note in _notes(batch)]
    moved = [(one.name, one.queries.record["moved"]) for one in instances if one.queries and one.queries.record]
    return told + [f"{name}: moved to the nearest frame that trackers see: {n:,} points" for name, n in moved if n]


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
