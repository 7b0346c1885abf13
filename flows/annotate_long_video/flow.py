"""Dense annotations of long videos from sparse ones or from a text, in memory that does not grow with their length."""

from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import Field

from core.addresses.remote import AddressError
from core.errors import reason_of
from core.formats.failures_jsonl import write_failures
from core.store.paths import UserPath
from core.video.index import load_index
from flows.annotate_long_video.correcting import Corrected
from flows.annotate_long_video.delivering import deliver_results, write_problems
from flows.annotate_long_video.follow import follow
from flows.annotate_long_video.options import Windows
from flows.annotate_long_video.plan import FAILURES, Plan, check
from flows.annotate_long_video.results import (
    Drawn,
    assemble,
    draw,
    not_followed,
    summary,
)
from flows.annotate_long_video.videos import ModelSpecs, NothingToDo, Settings, Video, prepare
from flows.options import INPUT, OUTPUT, Devices, Drawing, Execution, Models, Positional, warn
from tasks.cancellation import how_to_cancel
from tasks.ending import RunEnded
from tasks.inputs import Content, source_of
from tasks.items import Item, Stage, run_name
from tasks.reporting.delivery import deliverable
from tasks.reporting.summary import publish
from tasks.running import ItemRun, item_run, item_runner, run_items
from tasks.store import RunStore

INDEX = Stage(
    "index",
    "core.long_video.index_item:index_video",
    lambda done: [f"{done['frames']} frames of {done['width']}x{done['height']}, {done['duration_s']:.1f} s"],
    version=2,
)


def _run_name() -> str:
    given = flow_run.parameters
    videos = list(given.get("video_id") or [Path(str(given.get("video_path"))).name])
    more = f" and {len(videos) - 1} more" if len(videos) > 1 else ""
    return run_name(f"annotate {videos[0]}{more}")


@flow(name="annotate-long-video", flow_run_name=_run_name, task_runner=item_runner())
def annotate_long_video(
    video_path: Annotated[UserPath, INPUT, Positional()],
    video_id: Annotated[list[str] | None, INPUT] = None,
    assoc_info: Annotated[UserPath | None, INPUT] = None,
    mask_info: Annotated[UserPath | None, INPUT] = None,
    scene_graph_dir: Annotated[UserPath, INPUT] = Path("outputs/scene_graphs"),
    visor: Annotated[UserPath | None, INPUT] = None,
    prompts: Annotated[UserPath | None, INPUT] = None,
    text_prompt: Annotated[str | None, INPUT] = None,
    corrections: Annotated[UserPath | None, INPUT] = None,
    output_dir: Annotated[UserPath, OUTPUT] = Path("outputs/dense_annotations"),
    masks: Annotated[bool, OUTPUT] = False,
    annotated_video: Annotated[bool, OUTPUT] = False,
    recording: Annotated[bool, OUTPUT] = False,
    video_scale_factor: Annotated[float, Field(ge=0.1, le=1.0)] = 0.5,
    frame_interval: Annotated[int, Field(ge=1)] = 30,
    detection_interval: Annotated[int, Field(ge=1)] = 150,
    max_objects: Annotated[int | None, Field(ge=1)] = None,
    margin: Annotated[float, Field(ge=0, le=86_400)] = 300,
    hold_out: Annotated[float, Field(ge=0, lt=1)] = 0,
    windows: Windows = Windows(),
    drawing: Drawing = Drawing(),
    models: Models = Models(),
    devices: Devices = Devices(),
    execution: Execution = Execution(),
) -> State[None]:
    """Turn sparse annotations of long videos, or a text, into dense annotations, in bounded memory.

    Every window is kept when it is done: run the same command again to go on after an interruption.

    Args:
        video_path: A video, or a folder of videos.
        video_id: Which of the folder, as P01-20240202-171220, found as PARTICIPANT/ID.mp4 or ID.*; all when left out.
        assoc_info: HD-EPIC's assoc_info.json; looked for in scene-and-object-movements/ where no annotations are given.
        mask_info: HD-EPIC's mask_info.json; looked for beside assoc_info when left out.
        scene_graph_dir: Folder with scene_graphs_ID.jsonl, for the list of objects that never move.
        visor: VISOR file with polygons, instead of HD-EPIC's files.
        prompts: JSON file with boxes, points or masks on frames of each video, instead.
        text_prompt: What to find and annotate, as in "red cup. plate", instead.
        corrections: JSON file with what a person put right in earlier results of these videos; only that is done again.
        output_dir: Folder for the results; the state of the run goes below it.
        masks: Put each mask into the results, as COCO RLE.
        annotated_video: Write an MP4 of each video's annotated frames too.
        recording: Write a Rerun recording of each video too.
        video_scale_factor: Size at which frames are processed; results are in pixels of the source.
        frame_interval: Annotate every so many frames.
        detection_interval: Look for new objects every so many frames, with a text prompt.
        max_objects: Most objects at once, with a text prompt; beyond them nothing new is taken up.
        margin: Seconds for which an object is followed before and after each of its annotations.
        hold_out: Share of the annotations to hide from the tracker and to judge it by; each object keeps its first.
        windows: How a video is cut into windows.
        drawing: How annotated videos are drawn.
        models: Which models find and follow objects.
        devices: Where the work is done.
        execution: How long items may take, and what becomes of those finished before.
    """
    log = get_run_logger()
    log.info(how_to_cancel())
    plan = check(
        video_path, video_id, assoc_info, mask_info, scene_graph_dir, visor, prompts, text_prompt, corrections,
        output_dir, hold_out, windows, models, devices, execution,
    )  # fmt: skip
    output_dir = plan.output
    notes = models.notes(plan.detector, plan.segmenter)
    notes.append(f"Annotations: {plan.source}")
    for note in notes:
        log.info(note)
    notes += warn(log, plan.text_prompt, plan.detector, plan.segmenter)
    settings = Settings(
        windows.window_duration, windows.window_overlap, video_scale_factor, frame_interval, detection_interval,
        max_objects, margin, hold_out, parallel=windows.mode == "parallel",
    )  # fmt: skip
    store = RunStore(output_dir)
    finder = None if plan.detector is None else plan.detector.spec(plan.models, store.digests.content)
    specs = ModelSpecs(plan.segmenter.spec(plan.models, store.digests.content), finder, plan.text_prompt)
    wanted = Drawn(annotated_video, recording, drawing.style)
    try:
        with item_run(store, plan.placement, _at_once(plan, settings), execution.mode) as run:
            videos, failures = _open(run, plan, settings)
            for video in videos:
                for problem in video.problems[:20]:
                    log.warning("%s: %s: %s", video.video_id, problem.where, problem.what)
            followed = follow(run, videos, settings, specs)
            run.end_plan()
            for video in videos:
                failures |= not_followed(video, followed[video.video_id].made)
            outcomes = assemble(run, videos, followed, settings, specs, notes, masks, wanted, output_dir)
            corrected = None
            if plan.corrections:
                corrected = Corrected(run, videos, outcomes, settings, specs.segmenter)
                failures |= corrected.failures
                outcomes = assemble(run, videos, followed, settings, specs, notes, masks, wanted, output_dir, corrected)
            drawn = draw(run, videos, followed, outcomes, settings, wanted)
    except RunEnded as ended:
        return ended.state()
    failures |= deliver_results(store, videos, outcomes, drawn, output_dir, settings.interval, corrected)
    with deliverable(output_dir):
        write_failures(output_dir / FAILURES, ((one, failures[one]) for one in plan.videos if one in failures))
    return publish(summary(plan, videos, followed, outcomes, failures, notes, output_dir, wanted), run)


def _at_once(plan: Plan, settings: Settings) -> int | None:
    """Windows that can be followed at the same time: carried on, one for each video and direction; else any number."""
    if settings.parallel:
        return None
    return len(plan.videos) * (1 if plan.text_prompt is not None else 2)


def _open(run: ItemRun, plan: Plan, settings: Settings) -> tuple[list[Video], dict[str, str]]:
    """Index every video that is there; those that can be annotated, and the reason for each that cannot."""
    items: dict[str, Item] = {}
    failures = {}
    for video_id, path in plan.videos.items():
        if path is None:
            usual = plan.root / video_id.partition("-")[0] / f"{video_id}.mp4"
            failures[video_id] = f"no such video: neither {usual} nor {plan.root / video_id}.mp4 (or .mkv, .mov …)"
            continue
        try:
            source, size = source_of(path)
        except (OSError, AddressError) as error:
            failures[video_id] = f"{path}: {reason_of(error)}"
            continue
        items[video_id] = Item(f"{video_id} (index)", {}, {"video": source}, float(size))
    read = Content(run.store, "video")
    videos = []
    for video_id, outcome in zip(items, run_items(run, INDEX, list(items.values()), inputs=read), strict=True):
        if outcome.record is None:
            failures[video_id] = outcome.reason or "failed"
            continue
        try:
            videos.append(prepare(plan, settings, video_id, outcome, load_index(outcome.folder)))
        except NothingToDo as nothing:
            failures[video_id] = str(nothing)
            if run.plan is None:
                write_problems(plan.output, video_id, nothing.problems)
    return videos, failures
