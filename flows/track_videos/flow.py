"""Track what a text names, or what boxes point at, through many videos on many GPUs."""

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import Field

from core.formats.failures_jsonl import write_failures
from core.formats.objects_csv import TrackedObject, write_objects
from core.formats.results_jsonl import Schema, TrackedVideo, write_results
from core.formats.review_jsonl import write_review
from core.formats.tracked_so_far import begin, note_tracked
from core.quality.review_item import REVIEW_FILE
from core.store.paths import UserPath
from core.tracking.prompt_check import PromptProblem
from flows.options import INPUT, OUTPUT, Devices, Drawing, Execution, Models, Positional, Taken, warn
from flows.track_videos.correcting import correct
from flows.track_videos.drawing import deliver_rendered, render
from flows.track_videos.items import items_of, model_specs
from flows.track_videos.plan import FAILURES, PROBLEMS, TRACK, Plan, check
from flows.track_videos.results import (
    delivered_files,
    doubtful_frames,
    found_nothing,
    make_report,
    mostly_doubtful,
    objects_path,
    prompt_problems,
    review_videos,
    write_problems,
    write_provenance,
)
from flows.track_videos.shots import split_into_shots
from flows.track_videos.summary import summary
from tasks.cancellation import how_to_cancel
from tasks.ending import RunEnded
from tasks.inputs import Content
from tasks.items import Outcome, run_name
from tasks.reporting.delivery import deliverable
from tasks.reporting.summary import publish
from tasks.running import item_run, item_runner, run_items
from tasks.store import RunStore

# The documented flag is called so; Prefect builds a pydantic model of the parameters, which has an old method `schema`.
warnings.filterwarnings("ignore", 'Field name "schema" in "Track_VideosModel" shadows', UserWarning)


def _run_name() -> str:
    given = flow_run.parameters
    named = [Path(str(one)).name for one in [*(given.get("videos") or ()), given.get("video_list")] if one is not None]
    more = f" and {len(named) - 1} more" if len(named) > 1 else ""
    return run_name(f"{given.get('text_prompt') or 'prompts'} in {named[0] if named else ''}{more}")


@flow(
    name="track-videos",
    flow_run_name=_run_name,
    task_runner=item_runner(),
)
def track_videos(
    videos: Annotated[list[str] | None, INPUT, Positional()] = None,
    video_list: Annotated[UserPath | None, INPUT] = None,
    output_jsonl: Annotated[UserPath, OUTPUT] = Path("outputs/tracks/results.jsonl"),
    text_prompt: Annotated[str | None, INPUT] = None,
    prompts: Annotated[UserPath | None, INPUT] = None,
    detections: Annotated[UserPath | None, INPUT] = None,
    corrections: Annotated[UserPath | None, INPUT] = None,
    output_video_dir: Annotated[UserPath | None, OUTPUT] = None,
    recording: Annotated[UserPath | None, OUTPUT] = None,
    schema: Annotated[Schema, OUTPUT] = "frames",
    masks: Annotated[bool, OUTPUT] = False,
    detection_frequency: Annotated[int, Field(ge=1)] = 1,
    max_objects: Annotated[int | None, Field(ge=1)] = None,
    max_frames: Annotated[int, Field(ge=1)] = 60,
    fps: Annotated[float | None, Field(gt=0, le=1000, allow_inf_nan=False)] = None,
    split_shots: bool = False,
    part: Taken = Taken(),
    drawing: Drawing = Drawing(),
    models: Models = Models(),
    devices: Devices = Devices(),
    execution: Execution = Execution(),
) -> State[None]:
    """Track what a text names, or what boxes point at, through many videos, on every device there is.

    Writes one JSON line per video, a table of all objects and a report, and on request an annotated MP4 and a Rerun
    recording of each video. Finished videos are kept: run the same command again to go on after an interruption.

    Args:
        videos: Videos, folders of videos or of images, or patterns, as in "walks/*.mp4".
        video_list: Text file with such a name on each line; relative ones are looked for beside it, too.
        output_jsonl: Results file to write; the report, the table and the state of the run go beside it.
        text_prompt: What to track, as in "person" or "dog. red car".
        prompts: JSON file with boxes or points for each video, instead of a text prompt.
        detections: Boxes that a detector of your own has found (MOT, COCO, YOLO, results …), instead.
        corrections: JSON file with what a person put right in earlier results of these videos; only that is done again.
        output_video_dir: Folder for annotated videos.
        recording: Folder for Rerun recordings (.rrd), one a video.
        schema: Shape of a results line: by frame or by object.
        masks: Put each mask into the results, as COCO RLE.
        detection_frequency: Look for new objects on every so many processed frames.
        max_objects: Most objects of a video at once; the surest are kept.
        max_frames: Most frames of a video held in memory at once.
        fps: Process this many frames a second, picked by time; frames with prompts are processed besides.
        split_shots: Make each shot of a video, from cut to cut, a video of its own, in a folder beside the results.
        part: Which part of the videos is processed, to try things out.
        drawing: How annotated videos are drawn.
        models: Which models find and follow objects.
        devices: Where the work is done.
        execution: How long items may take, and what becomes of those finished before.
    """
    log = get_run_logger()
    log.info(how_to_cancel())
    plan = check(
        videos, video_list, output_jsonl, text_prompt, prompts, detections, corrections, output_video_dir, recording,
        split_shots, part, models, devices, execution,
    )  # fmt: skip
    notes = models.notes(plan.detector, plan.segmenter)
    for note in notes:
        log.info(note)
    for note in plan.notes:
        log.warning(note)
    notes += [*plan.notes, *warn(log, plan.text_prompt, plan.detector, plan.segmenter)]
    store = RunStore(plan.results.parent, plan.video_dir, plan.recording_dir)
    settings = {
        "detection_frequency": detection_frequency, "max_objects": max_objects, "max_frames": max_frames, "fps": fps,
    }  # fmt: skip
    models_used = model_specs(plan, store)
    items, unreadable = items_of(plan, store, models_used, settings)
    try:
        with item_run(store, plan.placement, None if split_shots else len(items), execution.mode) as run:
            if run.plan is None:
                begin(store.root)
            if split_shots:
                plan, unsplit = split_into_shots(run, plan, corrections)
                items, unreadable = items_of(plan, store, models_used, settings)
                items, unreadable = [one for one in items if one.name not in unsplit], unreadable | unsplit
            read = Content(store, "video")
            tracked = run_items(run, TRACK, items, settled=partial(_note, store), inputs=read)
            tracked = correct(run, plan, tracked, models_used["segmenter"])
            rendered = render(run, plan, tracked, drawing.style)
            reviewed = review_videos(run, plan, tracked)
            run.end_plan()
            settled = [*reviewed, *rendered, *tracked]
            failures = unreadable | {one.item.name: one.reason for one in settled if one.reason is not None}
            failures |= deliver_rendered(plan, store, rendered)
            problems = prompt_problems(tracked)
            notes += found_nothing(plan, tracked) + mostly_doubtful(plan, tracked, reviewed)
            no_report = make_report(run, plan, tracked, reviewed, failures, problems, notes)
    except RunEnded as ended:
        return ended.state()
    done = {o.item.name: o for o in tracked if o.reason is None}
    _write_results(plan, done, reviewed, failures, problems, schema, masks)
    return publish(summary(plan, done, failures, problems, no_report, notes), run)


def _note(store: RunStore, outcome: Outcome) -> None:
    """A video is tracked: who watches the run may look at it already."""
    if outcome.reason is None:
        note_tracked(store.root, outcome.item.name, outcome.folder)


def _write_results(
    plan: Plan,
    done: Mapping[str, Outcome],
    reviewed: Sequence[Outcome],
    failures: Mapping[str, str],
    problems: Sequence[tuple[str, PromptProblem]],
    schema: Schema,
    masks: bool,
) -> None:
    """All files about the run but its page, in the order of the videos."""
    folder = plan.results.parent
    delivered = [video for video in plan.videos if video in done]
    with deliverable(plan.results):
        write_provenance(plan)  # first: who sees the results knows what they were made with, too
        lines = (TrackedVideo(v, plan.text_prompt, done[v].folder, delivered_files(plan, v)) for v in delivered)
        write_results(plan.results, lines, schema, masks)
        summaries = ((v, map(TrackedObject.model_validate, (done[v].record or {})["summary"])) for v in delivered)
        write_objects(objects_path(plan), summaries)
        write_review(folder / REVIEW_FILE, doubtful_frames(reviewed))
        write_problems(folder / PROBLEMS, problems)
        write_failures(folder / FAILURES, ((v, failures[v]) for v in plan.videos if v in failures))
