"""Track what a text names, or what boxes point at, through many videos on many GPUs."""

import socket
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Cancelled
from pydantic import Field

from core.errors import RefusedInput
from core.formats.failures_jsonl import write_failures
from core.formats.results_jsonl import Schema, TrackedVideo, write_results
from core.formats.review_jsonl import write_review
from core.quality.review_item import REVIEW_FILE
from core.store.paths import UserPath, distinct, inside, slugify
from core.tracking.prompt_check import PromptProblem
from core.tracking.render_item import RECORDING_FILE, VIDEO_FILE
from flows.options import Devices, Execution, Models, warn
from flows.track_videos.plan import FAILURES, PROBLEMS, TRACK, Plan, check
from flows.track_videos.results import (
    doubtful_frames,
    make_report,
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
    return run_name(f"{given.get('text_prompt') or 'prompts'} in {Path(str(given.get('video_list'))).name}")


@flow(
    name="track-videos",
    flow_run_name=_run_name,
    task_runner=item_runner(),
)
def track_videos(
    video_list: UserPath,
    output_jsonl: UserPath,
    text_prompt: str | None = None,
    prompts: UserPath | None = None,
    output_video_dir: UserPath | None = None,
    recording: UserPath | None = None,
    schema: Schema = "frames",
    masks: bool = False,
    detection_frequency: Annotated[int, Field(ge=1)] = 1,
    max_frames: Annotated[int, Field(ge=1)] = 60,
    fps: Annotated[float | None, Field(gt=0, le=1000)] = None,
    models: Models = Models(),
    devices: Devices = Devices(),
    execution: Execution = Execution(),
) -> State[None]:
    """Track what a text names through many videos, on every device there is.

    Writes one JSON line per video, in list order, and on request an annotated MP4 and a Rerun recording of each.
    Finished videos are kept: run the same command again to go on after an interruption, or to try failures again.

    Args:
        video_list: Text file with the path of a video (or of a folder of images) on each line.
        output_jsonl: Results file to write; failures.jsonl and the state of the run go beside it.
        text_prompt: What to track, as in "person" or "red ball. blue car".
        prompts: JSON file with boxes or points for each video, instead of a text prompt.
        output_video_dir: Folder for annotated videos.
        recording: Folder for Rerun recordings (.rrd), one a video.
        schema: Shape of a results line: by frame or by object.
        masks: Put each mask into the results, as COCO RLE.
        detection_frequency: Look for new objects on every so many processed frames.
        max_frames: Most frames of a video held in memory at once.
        fps: Process this many frames a second, picked by time; all when left out.
        models: Which models find and follow objects.
        devices: Where the work is done.
        execution: How long items may take, and what becomes of those finished before.
    """
    log = get_run_logger()
    log.info(how_to_cancel())
    plan = check(
        video_list, output_jsonl, text_prompt, prompts, output_video_dir, recording, models, devices, execution
    )
    notes = models.notes(plan.detector, plan.segmenter)
    for note in notes:
        log.info(note)
    notes += warn(log, plan.detector, plan.segmenter)
    store = RunStore(plan.results.parent)
    settings = {"detection_frequency": detection_frequency, "max_frames": max_frames, "fps": fps}
    items, unreadable = _items(plan, store, settings)
    try:
        with item_run(store, plan.placement, len(items), execution.resume) as run:
            tracked = run_items(run, TRACK, items, prepare=read_content(store.digests, "video"))
            rendered = _render(run, plan, tracked)
            reviewed = review_videos(run, plan, tracked)
            settled = [*reviewed, *rendered, *tracked]
            failures = unreadable | {one.item.name: one.reason for one in settled if one.reason is not None}
            failures |= _deliver_rendered(plan, store, rendered)
            problems = prompt_problems(tracked)
            no_report = make_report(run, plan, tracked, reviewed, failures, problems, notes)
    except RunCancelled as cancelled:
        return Cancelled(message=str(cancelled))
    done = {o.item.name: o for o in tracked if o.reason is None}
    delivered = [video for video in plan.videos if video in done]
    folder = plan.results.parent
    with deliverable(plan.results):
        write_results(
            plan.results, (TrackedVideo(v, plan.text_prompt, done[v].folder) for v in delivered), schema, masks
        )
        write_review(folder / REVIEW_FILE, doubtful_frames(reviewed))
        write_problems(folder / PROBLEMS, problems)
        write_failures(folder / FAILURES, ((v, failures[v]) for v in plan.videos if v in failures))
    return publish(_summary(plan, done, failures, problems, no_report, notes), run.pages)


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
        if plan.text_prompt is None and video not in plan.prompts:
            unreadable[video] = "the prompts file has no entry for this video"
            continue
        try:
            path = Path(video).expanduser()
            size = media_bytes(path)
        except (OSError, ValueError, RuntimeError) as error:
            unreadable[video] = _why_not_there(video, error)
            continue
        prompts = [entry.model_dump(mode="json") for entry in plan.prompts.get(video, [])]
        what = {"text_prompt": plan.text_prompt, "prompts": prompts, **settings}
        request = {"video": str(path.resolve()), **what, **loaded}
        items.append(Item(video, {**what, **keys}, request, float(size)))
    return items, unreadable


def _why_not_there(video: str, error: Exception) -> str:
    """The reason; of a path that does not exist also where it was looked for: runs may start on other machines."""
    reason = ((error.strerror if isinstance(error, OSError) else str(error)) or "unreadable").lower()
    if not isinstance(error, FileNotFoundError):
        return reason
    place = "" if Path(video).is_absolute() else f" in {Path.cwd()} and beside the list"
    return f"{reason} (looked for{place} on {socket.gethostname()})"


def _render(run: ItemRun, plan: Plan, tracked: Sequence[Outcome]) -> list[Outcome]:
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
        }
        request = {**source, "tracks": str(outcome.folder), "key": key, **wanted}
        items.append(Item(outcome.item.name, {"tracks": key, **wanted}, request, outcome.item.cost))
    return run_about(run, RENDER, items, "drawing")


def _deliver_rendered(plan: Plan, store: RunStore, rendered: Sequence[Outcome]) -> dict[str, str]:
    """Put pictures where they belong: `<folder>/<parent>/<stem>_tracked.mp4` and `<parent>/<stem>.rrd`.

    Returns:
        The reason for each video whose pictures could not be put there.
    """
    failures = {}
    names = dict(zip(plan.videos, distinct(_name(video) for video in plan.videos), strict=True))
    for outcome in rendered:
        name = names[outcome.item.name]
        for folder, made, suffix in (
            (plan.video_dir, VIDEO_FILE, "_tracked.mp4"), (plan.recording_dir, RECORDING_FILE, ".rrd")
        ):  # fmt: skip
            if folder is not None and outcome.record is not None:
                try:
                    deliver(outcome.folder / made, inside(folder, name + suffix), store.digests)
                except (OSError, RefusedInput) as error:
                    failures[outcome.item.name] = undelivered(error)
    return failures


def _name(video: str) -> str:
    path = Path(video.replace("\0", "")).absolute()
    return f"{slugify(path.parent.name, 'root')}/{slugify(path.stem)}"


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
        rows.append(Row(video, status, figures, failures.get(video, "")))
    outputs = [("Results", str(plan.results))]
    outputs += [
        (w, str(p)) for w, p in (("Videos", plan.video_dir), ("Recordings", plan.recording_dir)) if p is not None
    ]
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
