"""Track what a text names, or what boxes point at, through many videos on many GPUs."""

import socket
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Cancelled
from pydantic import Field

from core.errors import MaskflowError, RefusedInput, reason_of
from core.formats.detections_jsonl import write_detections
from core.formats.exchange.model import VideoResults
from core.formats.failures_jsonl import write_failures
from core.formats.objects_csv import TrackedObject, write_objects
from core.formats.results_jsonl import Schema, TrackedVideo, write_results
from core.formats.review_jsonl import write_review
from core.masks.draw import Style
from core.quality.review_item import REVIEW_FILE
from core.store.digests import sha256_file
from core.store.paths import UserPath
from core.tracking.prompt_check import PromptProblem
from core.tracking.render_item import RECORDING_FILE, VIDEO_FILE
from flows.options import INPUT, OUTPUT, Devices, Drawing, Execution, Models, Positional, Taken, warn
from flows.track_videos.plan import FAILURES, PROBLEMS, TRACK, Plan, check
from flows.track_videos.results import (
    doubtful_frames,
    found_nothing,
    make_report,
    objects_path,
    output_files,
    prompt_problems,
    report_path,
    review_videos,
    run_about,
    title,
    write_problems,
)
from tasks.cancellation import how_to_cancel
from tasks.hashing import media_bytes, read_content
from tasks.items import Item, Outcome, Stage, item_key, run_name
from tasks.reporting.delivery import deliver, deliverable, undelivered
from tasks.reporting.summary import Row, Summary, publish
from tasks.running import ItemRun, RunCancelled, item_run, item_runner, run_items
from tasks.store import RunStore

# The documented flag is called so; Prefect builds a pydantic model of the parameters, which has an old method `schema`.
warnings.filterwarnings("ignore", 'Field name "schema" in "Track_VideosModel" shadows', UserWarning)

RENDER = Stage(
    "render",
    "core.tracking.render_item:render_video",
    lambda done: [f"{done['frames']} frames drawn in {done['seconds']:.2f}s"],
)


_MOST_PROBLEMS = 5


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
    output_video_dir: Annotated[UserPath | None, OUTPUT] = None,
    recording: Annotated[UserPath | None, OUTPUT] = None,
    schema: Annotated[Schema, OUTPUT] = "frames",
    masks: Annotated[bool, OUTPUT] = False,
    detection_frequency: Annotated[int, Field(ge=1)] = 1,
    max_objects: Annotated[int | None, Field(ge=1)] = None,
    max_frames: Annotated[int, Field(ge=1)] = 60,
    fps: Annotated[float | None, Field(gt=0, le=1000, allow_inf_nan=False)] = None,
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
        output_video_dir: Folder for annotated videos.
        recording: Folder for Rerun recordings (.rrd), one a video.
        schema: Shape of a results line: by frame or by object.
        masks: Put each mask into the results, as COCO RLE.
        detection_frequency: Look for new objects on every so many processed frames.
        max_objects: Most objects of a video at once; the surest are kept.
        max_frames: Most frames of a video held in memory at once.
        fps: Process this many frames a second, picked by time; frames with prompts are processed besides.
        part: Which part of the videos is processed, to try things out.
        drawing: How annotated videos are drawn.
        models: Which models find and follow objects.
        devices: Where the work is done.
        execution: How long items may take, and what becomes of those finished before.
    """
    log = get_run_logger()
    log.info(how_to_cancel())
    plan = check(
        videos, video_list, output_jsonl, text_prompt, prompts, detections, output_video_dir, recording, part, models,
        devices, execution,
    )  # fmt: skip
    notes = models.notes(plan.detector, plan.segmenter)
    for note in notes:
        log.info(note)
    for note in plan.notes:
        log.warning(note)
    notes += [*plan.notes, *warn(log, plan.text_prompt, plan.detector, plan.segmenter)]
    store = RunStore(plan.results.parent)
    settings = {
        "detection_frequency": detection_frequency, "max_objects": max_objects, "max_frames": max_frames, "fps": fps,
        "part": {"start_s": plan.part.start_s, "end_s": plan.part.end_s},
    }  # fmt: skip
    items, unreadable = _items(plan, store, settings)
    try:
        with item_run(store, plan.placement, len(items), execution.resume) as run:
            tracked = run_items(run, TRACK, items, prepare=read_content(store.digests, "video"))
            rendered = _render(run, plan, tracked, drawing.style)
            reviewed = review_videos(run, plan, tracked)
            settled = [*reviewed, *rendered, *tracked]
            failures = unreadable | {one.item.name: one.reason for one in settled if one.reason is not None}
            failures |= _deliver_rendered(plan, store, rendered)
            problems = prompt_problems(tracked)
            notes += found_nothing(plan, tracked)
            no_report = make_report(run, plan, tracked, reviewed, failures, problems, notes)
    except RunCancelled as cancelled:
        return Cancelled(message=str(cancelled))
    done = {o.item.name: o for o in tracked if o.reason is None}
    _write_results(plan, done, reviewed, failures, problems, schema, masks)
    return publish(_summary(plan, done, failures, problems, no_report, notes), run.pages)


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
        lines = (TrackedVideo(v, plan.text_prompt, done[v].folder, output_files(plan, v)) for v in delivered)
        write_results(plan.results, lines, schema, masks)
        summaries = ((v, map(TrackedObject.model_validate, (done[v].record or {})["summary"])) for v in delivered)
        write_objects(objects_path(plan), summaries)
        write_review(folder / REVIEW_FILE, doubtful_frames(reviewed))
        write_problems(folder / PROBLEMS, problems)
        write_failures(folder / FAILURES, ((v, failures[v]) for v in plan.videos if v in failures))


def _items(plan: Plan, store: RunStore, settings: dict[str, Any]) -> tuple[list[Item], dict[str, str]]:
    """An item for each video that is there, but for the digest of its content; the reason for each that is not."""
    items, unreadable = [], {}
    models = {
        role: backend.spec(plan.models, store.digests.content)
        for role, backend in (("detector", plan.detector), ("segmenter", plan.segmenter))
        if backend is not None
    }
    keys = {role: model.key for role, model in models.items()}
    loaded = {role: model.model_dump(mode="json") for role, model in models.items()}
    for video in plan.videos:
        if plan.text_prompt is None and video not in plan.prompts and video not in plan.detections:
            unreadable[video] = "there are no prompts or detections of this video"
            continue
        try:
            path = Path(video).expanduser()
            size = media_bytes(path)
        except (OSError, ValueError, RuntimeError) as error:
            unreadable[video] = _missing(video, error)
            continue
        prompts = [entry.model_dump(mode="json") for entry in plan.prompts.get(video, [])]
        what = {"text_prompt": plan.text_prompt, "prompts": prompts, **settings}
        request = {"video": str(path.resolve()), **what, **loaded}
        if video in plan.detections:
            try:
                file = _write_detections(store, plan.detections[video])
            except (MaskflowError, OSError) as error:
                unreadable[video] = f"its detections cannot be used: {reason_of(error)}"
                continue
            least = {} if plan.models.box_threshold is None else {"min_score": plan.models.box_threshold}
            what |= {"detections": file.stem, **least}
            request |= {"detections": str(file), **least}
        items.append(Item(video, {**what, **keys}, request, float(size)))
    return items, unreadable


def _write_detections(store: RunStore, found: VideoResults) -> Path:
    """A video's detections as a file for its worker, called after its content."""
    folder = store.root / "detections"
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".") as temporary:
        written = Path(temporary) / "detections.jsonl"
        write_detections(written, found.read())
        return written.replace(folder / f"{sha256_file(written)}.jsonl")


def _missing(video: str, error: Exception) -> str:
    """The reason; of a path that does not exist also where it was looked for: runs may start on other machines."""
    if "://" in video:
        return "addresses are not fetched: download it, and give its path"
    if not isinstance(error, FileNotFoundError):
        return reason_of(error)
    place = "" if Path(video).is_absolute() else f" in {Path.cwd()}"
    return f"{reason_of(error)} (looked for{place} on {socket.gethostname()})"


def _render(run: ItemRun, plan: Plan, tracked: Sequence[Outcome], style: Style) -> list[Outcome]:
    """Draw what was tracked, where pictures were requested."""
    wanted = {"annotated_video": plan.video_dir is not None, "recording": plan.recording_dir is not None}
    if not any(wanted.values()):
        return []
    items = []
    for outcome in tracked:
        if outcome.record is None:
            continue
        key = item_key(TRACK, outcome.item)
        request = outcome.item.request
        source = {
            "video": request["video"],
            "fps": request["fps"],
            "also": [one["frame"] for one in request["prompts"]],
            "part": request["part"],
        }
        what = {**wanted, "style": asdict(style) if wanted["annotated_video"] else asdict(Style())}
        request = {**source, "tracks": str(outcome.folder), "key": key, **what}
        items.append(Item(outcome.item.name, {"tracks": key, **what}, request, outcome.item.cost))
    return run_about(run, RENDER, items, "drawing")


def _deliver_rendered(plan: Plan, store: RunStore, rendered: Sequence[Outcome]) -> dict[str, str]:
    """Put annotated videos and recordings where they belong; the reason for each video of which one could not be."""
    failures = {}
    for outcome in rendered:
        video = outcome.item.name
        for made, place in ((VIDEO_FILE, plan.annotated_video(video)), (RECORDING_FILE, plan.recording(video))):
            if place is None:
                continue
            try:
                if outcome.record is None:
                    place.unlink(missing_ok=True)  # that of an earlier run would not be true
                else:
                    deliver(outcome.folder / made, place, store.digests)
            except (OSError, RefusedInput) as error:
                failures[video] = undelivered(error)
    return failures


def _summary(
    plan: Plan,
    done: dict[str, Outcome],
    failures: dict[str, str],
    problems: Sequence[tuple[str, PromptProblem]],
    no_report: str | None,
    notes: list[str],
) -> Summary:
    rows = []
    for video in plan.videos:
        outcome = done.get(video)
        figures: tuple[str, ...] = ()
        if outcome is not None and outcome.record is not None:
            record = outcome.record
            speed = record["frames"] / max(record["seconds"], 1e-9)
            figures = (str(record["frames"]), str(record["objects"]), f"{record['seconds']:.1f}", f"{speed:.1f}")
        status = "failed" if video in failures else "cached" if outcome is not None and outcome.cached else "done"
        drawn = tuple((word.replace("_", " "), path) for word, path in output_files(plan, video).items())
        rows.append(Row(video, status, figures, failures.get(video, ""), drawn))
    outputs = [("Results", str(plan.results))]
    outputs += [
        (w, str(p)) for w, p in (("Videos", plan.video_dir), ("Recordings", plan.recording_dir)) if p is not None
    ]
    outputs.append(("Objects", str(objects_path(plan))))
    outputs.append(("Review", str(plan.results.parent / REVIEW_FILE)))
    if problems:
        outputs.append(("Problems", f"{plan.results.parent / PROBLEMS} ({len(problems)})"))
        notes = [*notes, *(f"{video}: {one.where}: {one.what}" for video, one in problems[:_MOST_PROBLEMS])]
    if no_report is None:
        outputs.append(("Report", str(report_path(plan))))
    else:
        rows.append(Row("report", "failed", (), no_report))
    if failures:
        outputs.append(("Failures", str(plan.results.parent / FAILURES)))
    return Summary(title(plan), ("frames", "objects", "seconds", "fps"), rows, outputs, notes)
