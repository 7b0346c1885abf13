"""Sliding windows of frames to COLMAP models, aligned and merged into one."""

from functools import partial
from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Failed
from pydantic import Field

from core.errors import BadMedia
from core.models.colmap import COLMAP
from core.models.registry import RECONSTRUCTORS
from core.reconstruction.settings import (
    DEFAULT_FOCAL,
    CameraSettings,
    FeatureSettings,
    MatchFile,
    SolveSettings,
    VggtSettings,
)
from core.reconstruction.windowing import sliding_windows
from core.store.paths import UserPath
from flows.options import BackendOf, Devices, Execution
from flows.reconstruct_windows.options import Camera, Solving, Windows
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
from tasks.elsewhere import origin_of
from tasks.ending import RunEnded
from tasks.items import run_name
from tasks.reporting.delivery import deliverable
from tasks.reporting.summary import publish
from tasks.running import item_run, item_runner, run_items
from tasks.store import RunStore


def _run_name() -> str:
    return run_name(f"reconstruct {Path(str(flow_run.parameters.get('input_dir'))).name}")


@flow(name="reconstruct-windows", flow_run_name=_run_name, task_runner=item_runner())
def reconstruct_windows(
    input_dir: UserPath,
    output_dir: UserPath,
    fps: Annotated[float | None, Field(gt=0)] = None,
    backend: Annotated[str, BackendOf(RECONSTRUCTORS)] = "auto",
    mask_dir: UserPath | None = None,
    reference_poses: UserPath | None = None,
    fine_tracking: bool = True,
    model_path: UserPath | None = None,
    windows: Windows = Windows(),
    camera: Camera = Camera(),
    features: FeatureSettings = FeatureSettings(),
    solving: Solving = Solving(),
    vggt: VggtSettings = VggtSettings(),
    devices: Devices = Devices(),
    execution: Execution = Execution(),
) -> State[None]:
    """Reconstruct sliding windows of frames as COLMAP models, and merge them into one.

    Finished windows are kept: run the same command again to go on after an interruption, or to try failures again.

    Args:
        input_dir: Folder of frames, taken in natural order; or a video.
        output_dir: Folder for the results; the state of the run goes below it.
        fps: Of a video, take so many frames a second; all when left out.
        backend: What reconstructs windows; auto takes vggt where it is installed, with weights.
        mask_dir: Folder with NAME.png for an image NAME: what is black there is ignored, as moving objects should be.
        reference_poses: COLMAP model, file of `name x y z qx qy qz qw`, or folder of 4x4 matrices, to align with.
        fine_tracking: Without effect: features are matched to parts of a pixel as they are.
        model_path: VGGT's weights; models/vggt/model.safetensors or model.pt when left out.
        windows: How the frames are cut into windows.
        camera: The camera, as far as it is known.
        features: How features are found.
        solving: How frames are matched and windows solved.
        vggt: How VGGT's tracks and depth are used.
        devices: Where the work is done.
        execution: How long items may take, and what becomes of those finished before.
    """
    log = get_run_logger()
    log.info(how_to_cancel())
    plan = check(
        input_dir, output_dir, fps, backend, mask_dir, reference_poses, model_path, windows, camera, devices, execution
    )
    notes = [*RECONSTRUCTORS.notes(backend, plan.backend, plan.models), *plan.notes]
    if not fine_tracking:
        notes.append("fine_tracking has no effect: features are matched to parts of a pixel as they are")
    if plan.backend is not COLMAP:
        ignored = {"mask_dir": mask_dir, "focal_length": camera.focal_length}
        notes += [
            f"{name} is not used: {plan.backend.name} does not take it" for name, given in ignored.items() if given
        ]
    for note in notes:
        log.info(note)
    solve = SolveSettings(
        mapper=solving.mapper, bundle_adjustment=solving.use_ba, max_reproj_error=solving.max_reproj_error
    )
    store = RunStore(plan.output)
    try:
        with (
            deliverable(plan.output),
            item_run(store, plan.placement, len(plan.images or ()), execution.mode) as run,
        ):
            sources = find_frames(run, plan, fps)
            cut = sliding_windows(len(sources), windows.window_size, windows.window_stride, windows.tail)
            planned = plan_windows(plan, cut, windows.window_batch_size)
            if run.plan is None:
                forget_other_windows(plan, planned)
            names = [source.path.name for source in sources]
            matches: list[MatchFile] = []
            unmatched: list[tuple[str, str]] = []
            reasons: dict[int, str] = {}
            settled = partial(deliver_window, planned, names, reasons, plan.backend.name, run)
            if plan.backend is not COLMAP:
                assumed = CameraSettings(model=camera.camera_type, shared=camera.shared_camera, focal=DEFAULT_FOCAL)
                sequence = solve_with_vggt(
                    run, plan, planned, sources, windows.window_batch_size, assumed, solve, vggt, settled
                )
                settings, stage = Settings(assumed, solve), VGGT_WINDOW
            else:
                sequence = extract(run, plan, sources, features, camera.shared_camera)
                reasons |= {frame.number: frame.reason for frame in sequence.frames if frame.reason is not None}
                matches, pairs, unmatched = match(run, sequence, solving.overlap, windows.window_size, solving.loops)
                decided, how = decide_camera(
                    run, sequence, matches, camera.camera_type, camera.shared_camera, camera.focal_length
                )
                found = [f"Focal length at the start: {how}", *sequence.notes]
                for note in found:
                    log.info(note)
                notes += found
                settings, stage = Settings(decided, solve), WINDOW
                run_items(run, WINDOW, colmap_items(planned, sequence, matches, pairs, settings), settled)
            run.end_plan()
            merged = merge(run, plan, planned, sequence, matches, settings, stage)
            failures = note_failures(plan, planned, sequence, merged, unmatched)
            facts = _facts(plan, planned.windows, notes, windows, settings)
            pictures = {source.path.name: source.path.absolute() for source in sources}
            no_report = make_report(run, plan, planned, sequence, stage, merged, facts, failures, pictures)
    except RunEnded as ended:
        return ended.state()
    except BadMedia as error:  # the video itself
        return Failed(message=f"{plan.source.name}: {error}")
    summary = summarise_run(plan, planned, sequence, merged, failures, unmatched, no_report, notes)
    for note in summary.notes[len(notes) :]:
        log.info(note)
    return publish(summary, run)


def _facts(
    plan: Plan, cut: list[range], notes: list[str], windows: Windows, settings: Settings
) -> list[tuple[str, str]]:
    camera = settings.camera
    return [
        ("input", origin_of(plan.source)),
        ("windows", f"{len(cut)}, of {windows.window_size} frames every {windows.window_stride}"),
        ("camera", f"{camera.model}, {'shared' if camera.shared else 'one for each frame'}"),
        *(("", note) for note in notes),
    ]
