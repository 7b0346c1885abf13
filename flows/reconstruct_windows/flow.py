"""Sliding windows of frames to COLMAP models, aligned and merged into one."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Cancelled, Failed
from pydantic import Field

from core.errors import BadMedia
from core.models.installed import RECONSTRUCTORS, choice_notes
from core.reconstruction.settings import (
    DEFAULT_FOCAL,
    CameraSettings,
    CameraType,
    FeatureSettings,
    Mapper,
    MatchFile,
    SolveSettings,
    VggtSettings,
)
from core.reconstruction.windowing import Tail, sliding_windows
from flows.reconstruct_windows.plan import Plan, check
from flows.reconstruct_windows.results import make_report, note_failures, summarise_run
from flows.reconstruct_windows.sequence import extract, find_frames, match
from flows.reconstruct_windows.vggt import VGGT_WINDOW, solve_with_vggt
from flows.reconstruct_windows.windows import (
    WINDOW,
    Settings,
    colmap_items,
    decide_camera,
    deliver_window,
    forget_other_windows,
    merge,
    plan_windows,
)
from tasks.cancellation import how_to_cancel
from tasks.devices.slots import MAX_SLOTS
from tasks.devices.timeouts import STALL_TIMEOUT_S
from tasks.items import run_name
from tasks.reporting.delivery import deliverable
from tasks.reporting.summary import publish
from tasks.running import RunCancelled, item_run, item_runner, run_items
from tasks.store import RunStore


def _run_name() -> str:
    return run_name(f"reconstruct {Path(str(flow_run.parameters.get('input_dir'))).name}")


@flow(name="reconstruct-windows", flow_run_name=_run_name, task_runner=item_runner())
def reconstruct_windows(
    input_dir: Path,
    output_dir: Path,
    window_batch_size: Annotated[int, Field(ge=1)] = 4,
    window_size: Annotated[int, Field(ge=2)] = 8,
    window_stride: Annotated[int, Field(ge=1)] = 4,
    tail: Tail = "shift",
    fps: Annotated[float | None, Field(gt=0)] = None,
    backend: Literal["auto", "vggt", "colmap"] = "auto",
    use_ba: bool = True,
    max_reproj_error: Annotated[float, Field(gt=0)] = 8.0,
    shared_camera: bool = True,
    camera_type: CameraType = "SIMPLE_PINHOLE",
    focal_length: Annotated[float | None, Field(gt=0)] = None,
    mask_dir: Path | None = None,
    reference_poses: Path | None = None,
    mapper: Mapper = "auto",
    overlap: Annotated[int, Field(ge=1)] = 2,
    loops: bool = True,
    max_image_size: Annotated[int, Field(ge=64)] = 1024,
    max_features: Annotated[int, Field(ge=64)] = 4096,
    vis_thresh: Annotated[float, Field(ge=0, le=1)] = 0.2,
    query_frame_num: Annotated[int, Field(ge=1)] = 8,
    max_query_pts: Annotated[int, Field(ge=64)] = 4096,
    fine_tracking: bool = True,
    conf_thres_value: Annotated[float, Field(ge=1)] = 5.0,
    model_path: Path | None = None,
    gpu_ids: list[int] | None = None,
    num_workers: Annotated[int | None, Field(ge=1, le=MAX_SLOTS)] = None,
    cluster: str | None = None,
    stall_timeout: Annotated[float, Field(gt=0)] = STALL_TIMEOUT_S,
    item_timeout: Annotated[float | None, Field(gt=0)] = None,
    resume: bool = True,
) -> State[None]:
    """Reconstruct sliding windows of frames as COLMAP models, and merge them into one.

    Finished windows are kept: run the same command again to go on after an interruption, or to try failures again.

    Args:
        input_dir: folder of frames, taken in natural order; or a video.
        output_dir: folder for the results; the state of the run goes below it.
        window_batch_size: windows in a batch: a folder each, and with vggt one pass of the model.
        window_size: frames in a window: 5 to 10 photographs, 20 to 60 frames of video.
        window_stride: frames from one window to the next; half a window is usual.
        tail: shift moves the last window back until it is full; keep makes a shorter one, of half at least; drop none.
        fps: of a video, take so many frames a second; all when left out.
        backend: what reconstructs windows; auto takes vggt where it is installed, with weights.
        use_ba: refine with robust bundle adjustment.
        max_reproj_error: in pixels, above which observations are dropped; while mapping, colmap is stricter: 4 at most.
        shared_camera: one camera for all frames, which then have one size; else one for each.
        camera_type: COLMAP camera model; vggt knows SIMPLE_PINHOLE and PINHOLE.
        focal_length: in pixels, where it is known; then no window changes it.
        mask_dir: folder with NAME.png for an image NAME: what is black there is ignored, as moving objects should be.
        reference_poses: COLMAP model, file of `name x y z qx qy qz qw`, or folder of 4x4 matrices, to align with.
        mapper: COLMAP's; auto maps incrementally, and globally where that leaves frames out.
        overlap: match each frame with so many next ones (and with the 4th, 8th, 16th … within a window).
        loops: match frames far apart that look alike, too.
        max_image_size: longer sides are scaled down to this, in pixels, to find features.
        max_features: features kept in a frame.
        vis_thresh: vggt: without effect below 1: matched features are seen or not, nothing in between.
        query_frame_num: vggt: frames whose features are matched with all others, for bundle adjustment.
        max_query_pts: vggt: features of each of them.
        fine_tracking: without effect: features are matched to parts of a pixel as they are.
        conf_thres_value: vggt without bundle adjustment: depth confidence above which points are kept.
        model_path: vggt's weights; models/vggt/model.safetensors or model.pt when left out.
        gpu_ids: GPUs to use, for vggt; every GPU when left out.
        num_workers: windows solved at once; one per core, with vggt one per GPU, when left out.
        cluster: Dask cluster to spread the work over, with shared storage: tcp://HOST:PORT, or slurm:JOBS.
        stall_timeout: seconds without progress after which an item is killed and has failed.
        item_timeout: seconds after which an item is killed and has failed, progress or not; no limit when left out.
        resume: keep finished windows; no-resume does all anew.
    """
    log = get_run_logger()
    log.info(how_to_cancel())
    plan = check(
        input_dir=input_dir,
        output_dir=output_dir,
        window_size=window_size,
        window_stride=window_stride,
        camera_type=camera_type,
        backend=backend,
        fps=fps,
        mask_dir=mask_dir,
        reference_poses=reference_poses,
        model_path=model_path,
        gpu_ids=gpu_ids,
        num_workers=num_workers,
        cluster=cluster,
        stall_timeout=stall_timeout,
        item_timeout=item_timeout,
    )
    notes = [*choice_notes("Reconstructor", backend, plan.backend, RECONSTRUCTORS), *plan.notes]
    ignored = (
        {"mask_dir": mask_dir, "focal_length": focal_length} if plan.backend.uses_gpu else {"model_path": model_path}
    )
    if not fine_tracking:
        notes.append("fine_tracking has no effect: features are matched to parts of a pixel as they are")
    notes += [
        f"{name} is not used: {plan.backend.name} knows no such thing" for name, given in ignored.items() if given
    ]
    for note in notes:
        log.info(note)
    features = FeatureSettings(max_image_size=max_image_size, max_features=max_features)
    solve = SolveSettings(mapper=mapper, bundle_adjustment=use_ba, max_reproj_error=max_reproj_error)
    vggt = VggtSettings(
        vis_thresh=vis_thresh,
        query_frame_num=query_frame_num,
        max_query_pts=max_query_pts,
        conf_thres_value=conf_thres_value,
    )
    store = RunStore(plan.output)
    try:
        with deliverable(plan.output), item_run(store, plan.devices, len(plan.images or ())) as run:
            sources = find_frames(run, plan, fps, resume)
            windows = plan_windows(
                plan, sliding_windows(len(sources), window_size, window_stride, tail), window_batch_size
            )
            forget_other_windows(plan, windows)
            names = [source.path.name for source in sources]
            matches: list[MatchFile] = []
            unmatched: list[tuple[str, str]] = []
            reasons: dict[int, str] = {}
            settled = partial(deliver_window, windows, names, reasons, plan.backend.name, run)
            if plan.backend.uses_gpu:
                camera = CameraSettings(model=camera_type, shared=shared_camera, focal=DEFAULT_FOCAL)
                sequence = solve_with_vggt(
                    run, plan, windows, sources, window_batch_size, camera, solve, vggt, resume, settled
                )
                settings, stage = Settings(camera, solve), VGGT_WINDOW
            else:
                sequence = extract(run, plan, sources, features, shared_camera, resume)
                reasons |= {frame.number: frame.reason for frame in sequence.frames if frame.reason is not None}
                matches, pairs, unmatched = match(run, sequence, overlap, window_size, loops, resume)
                camera, told = decide_camera(run, sequence, matches, camera_type, shared_camera, focal_length, resume)
                found = [f"Focal length at the start: {told}", *sequence.notes]
                for note in found:
                    log.info(note)
                notes += found
                settings, stage = Settings(camera, solve), WINDOW
                run_items(run, WINDOW, colmap_items(windows, sequence, matches, pairs, settings), resume, settled)
            merged = merge(run, plan, windows, sequence, matches, settings, stage, resume)
            failures = note_failures(plan, windows, sequence, merged, unmatched)
            facts = _facts(plan, windows.windows, notes, window_size, window_stride, settings)
            no_report = make_report(run, plan, windows, sequence, stage, merged, facts, failures, resume)
    except RunCancelled as cancelled:
        return Cancelled(message=str(cancelled))
    except BadMedia as error:  # the video itself
        return Failed(message=f"{plan.source.name}: {error}")
    summary = summarise_run(plan, windows, sequence, merged, failures, unmatched, no_report, notes)
    for note in summary.notes[len(notes) :]:
        log.info(note)
    return publish(summary)


def _facts(
    plan: Plan, windows: list[range], notes: list[str], window_size: int, window_stride: int, settings: Settings
) -> list[tuple[str, str]]:
    camera = settings.camera
    return [
        ("input", str(plan.source)),
        ("windows", f"{len(windows)}, of {window_size} frames every {window_stride}"),
        ("camera", f"{camera.model}, {'shared' if camera.shared else 'one for each frame'}"),
        *(("", note) for note in notes),
    ]
