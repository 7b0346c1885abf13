"""Dense annotations of long videos from sparse ones or from a text, in memory that does not grow with their length."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Cancelled
from pydantic import Field

from core.formats.failures_jsonl import write_failures
from core.models.registry import DETECTORS, SEGMENTERS
from core.models.sam2.names import SamType
from core.store.atomic import write_text
from core.video.index import load_index
from core.windows import assemble_item as assembled
from core.windows.record_item import RECORDING_FILE
from flows.annotate_long_video_items import FOLLOW, Made, Models, Settings, Video, carry, join, prepare, side_by_side
from flows.annotate_long_video_plan import Mode, Plan, check
from flows.model_notes import model_notes
from tasks.deliver import deliver
from tasks.devices.slots import MAX_SLOTS
from tasks.items import Item, ItemRun, Outcome, RunCancelled, Stage, item_key, item_run, item_runner, run_items
from tasks.store import RunStore
from tasks.summary import Row, Summary, publish

FAILURES = "failures.jsonl"
INDEX = Stage(
    "index",
    "core.windows.index_item:index_video",
    lambda done: [f"{done['frames']} frames of {done['width']}x{done['height']}, {done['duration_s']:.1f} s"],
)
ASSEMBLE = Stage(
    "assemble",
    "core.windows.assemble_item:assemble_video",
    lambda done: [f"{done['boxes']} boxes of {done['objects']} objects on {done['frames']} frames"],
)
RECORD = Stage(
    "record",
    "core.windows.record_item:record_video",
    lambda done: [f"{done['frames']} frames recorded in {done['seconds']:.2f}s"],
)
_DELIVERED = (
    (assembled.DENSE_FILE, "dense_annotations_{}.jsonl"),
    (assembled.LINKS_FILE, "links_{}.jsonl"),
    (assembled.REVIEW_FILE, "review_{}.jsonl"),
    (assembled.REPORT_FILE, "report_{}.html"),
)


def _run_name() -> str:
    given = flow_run.parameters
    videos = list(given.get("video_id") or [])
    return f"annotate {videos[0] if videos else ''}{f' and {len(videos) - 1} more' if len(videos) > 1 else ''}"


@flow(name="annotate-long-video", flow_run_name=_run_name, task_runner=item_runner())
def annotate_long_video(
    video_id: list[str],
    video_path: Path,
    assoc_info: Path | None = None,
    mask_info: Path | None = None,
    scene_graph_dir: Path = Path("outputs/scene_graphs"),
    visor: Path | None = None,
    prompts: Path | None = None,
    text_prompt: str | None = None,
    output_dir: Path = Path("outputs/dense_annotations"),
    window_duration: Annotated[float, Field(gt=0)] = 300,
    window_overlap: Annotated[float, Field(ge=0)] = 30,
    video_scale_factor: Annotated[float, Field(ge=0.1, le=1.0)] = 0.5,
    frame_interval: Annotated[int, Field(ge=1)] = 30,
    detection_interval: Annotated[int, Field(ge=1)] = 150,
    margin: Annotated[float, Field(ge=0)] = 300,
    mode: Mode = "carry",
    masks: bool = False,
    recording: bool = False,
    hold_out: Annotated[float, Field(ge=0, lt=1)] = 0,
    detector: Literal["auto", "grounding-dino", "sam3", "classical"] = "auto",
    segmenter: Literal["auto", "sam2", "sam3", "classical"] = "auto",
    sam_type: SamType = "sam2.1_hiera_large",
    sam_image_size: Annotated[int, Field(ge=64, le=2048, multiple_of=32)] = 1024,
    sam_compile: bool = False,
    model_path: Path | None = None,
    detector_path: Path | None = None,
    gpu_ids: list[int] | None = None,
    num_workers: Annotated[int | None, Field(ge=1, le=MAX_SLOTS)] = None,
    resume: bool = True,
) -> State[None]:
    """Turn sparse annotations of long videos, or a text, into dense annotations, in bounded memory.

    Every window is kept when it is done: run the same command again to go on after an interruption.

    Args:
        video_id: videos to annotate, as P01-20240202-171220; found as PARTICIPANT/ID.mp4 or ID.* below video_path.
        video_path: folder of the videos; or a single video.
        assoc_info: HD-EPIC's assoc_info.json; looked for in scene-and-object-movements/ where no annotations are given.
        mask_info: HD-EPIC's mask_info.json, likewise.
        scene_graph_dir: folder with scene_graphs_ID.jsonl, for the list of objects that never move.
        visor: VISOR file with polygons, instead of HD-EPIC's files.
        prompts: JSON file with boxes, points or masks on frames of each video, instead.
        text_prompt: what to find and annotate, as in "red cup. plate", instead.
        output_dir: folder for the results; the state of the run goes below it.
        window_duration: length of a window in seconds: what is lost at most by an interruption.
        window_overlap: seconds that neighbouring windows share; they are joined there in mode parallel.
        video_scale_factor: size at which frames are processed; results are in pixels of the source.
        frame_interval: annotate every so many frames.
        detection_interval: look for new objects every so many frames, with a text prompt.
        margin: seconds for which an object is followed before and after each of its annotations.
        mode: carry goes through the windows in order, as if there were none; parallel takes all at once and joins them.
        masks: put each mask into the results, as COCO RLE.
        recording: write a Rerun recording of each video too.
        hold_out: share of the annotations to hide from the tracker and to judge it by.
        detector: what finds the objects that the text names; auto takes the best whose weights are on disk.
        segmenter: what follows them; auto takes the best whose weights are on disk.
        sam_type: which SAM 2, where the segmenter is sam2.
        sam_image_size: side of the square that SAM 2 sees, in steps of 32; 512 is far faster than 1024, and less exact.
        sam_compile: compile SAM 2 first: minutes at the start, faster frames after; for GPUs and long runs.
        model_path: the segmenter's weights; models/sam2/checkpoints/SAM_TYPE.pt or models/sam3 when left out.
        detector_path: the detector's weights; models/grounding-dino-base or -tiny, or models/sam3, when left out.
        gpu_ids: GPUs to use, repeats weight: 0 0 1 gives GPU 0 two slots; every GPU once when left out.
        num_workers: windows followed at once; as many as gpu_ids when left out, without a GPU one per core.
        resume: keep finished windows; no-resume does all anew.
    """
    log = get_run_logger()
    log.info("Flow run %s: cancel it with `prefect flow-run cancel`", flow_run.id)
    plan = check(
        video_id=video_id,
        video_path=video_path,
        assoc_info=assoc_info,
        mask_info=mask_info,
        visor=visor,
        prompts=prompts,
        text_prompt=text_prompt,
        output_dir=output_dir,
        window_duration=window_duration,
        window_overlap=window_overlap,
        hold_out=hold_out,
        detector=detector,
        segmenter=segmenter,
        sam_type=sam_type,
        sam_image_size=sam_image_size,
        sam_compile=sam_compile,
        model_path=model_path,
        detector_path=detector_path,
        gpu_ids=gpu_ids,
        num_workers=num_workers,
    )
    notes = model_notes(plan.models, ("Detector", detector, plan.detector, DETECTORS[0], plan.models.detector_path),
                        ("Segmenter", segmenter, plan.segmenter, SEGMENTERS[0], plan.models.model_path))  # fmt: skip
    notes.append(f"Annotations: {plan.source}")
    for note in notes:
        log.info(note)
    settings = Settings(
        window_duration, window_overlap, video_scale_factor, frame_interval, detection_interval, margin, hold_out,
        parallel=mode == "parallel",
    )  # fmt: skip
    store = RunStore(output_dir)
    finder = None if plan.detector is None else plan.detector.spec(plan.models, store.digests.content)
    models = Models(plan.segmenter.spec(plan.models, store.digests.content), finder, plan.text_prompt)
    wanted = {"masks": masks, "tracks": recording}
    try:
        with item_run(store, plan.slots, _at_once(plan, settings)) as run:
            videos, failures = _open(run, plan, settings, scene_graph_dir, resume)
            for video in videos:
                for problem in video.problems[:20]:
                    log.warning("%s: %s: %s", video.video_id, problem.where, problem.what)
            follow = side_by_side if settings.parallel else carry
            made = dict(zip((v.video_id for v in videos), follow(run, videos, settings, models, resume), strict=True))
            for video in videos:
                failures |= _not_followed(video, made[video.video_id])
            outcomes = _assemble(run, videos, made, settings, models, notes, wanted, resume)
            recorded = _record(run, videos, outcomes, settings, resume) if recording else []
    except RunCancelled as cancelled:
        return Cancelled(message=str(cancelled))
    failures |= {o.item.name: o.reason for o in [*recorded, *outcomes] if o.reason is not None}
    for video, outcome in zip(videos, outcomes, strict=True):
        if outcome.record is not None:
            _deliver(store, video, outcome, output_dir)
    for outcome in recorded:
        if outcome.record is not None:
            deliver(outcome.folder / RECORDING_FILE, output_dir / f"recording_{outcome.item.name}.rrd", store.digests)
    write_failures(output_dir / FAILURES, ((one, failures[one]) for one in plan.videos if one in failures))
    return publish(_summary(plan, videos, made, outcomes, failures, notes, output_dir))


def _at_once(plan: Plan, settings: Settings) -> int:
    """Windows that can be followed at the same time: carried on, one for each video and direction."""
    if settings.parallel:
        return len(plan.slots)
    return len(plan.videos) * (1 if plan.text_prompt is not None else 2)


def _open(
    run: ItemRun, plan: Plan, settings: Settings, scene_graphs: Path, resume: bool
) -> tuple[list[Video], dict[str, str]]:
    """Index every video that is there; those that can be annotated, and the reason for each that cannot."""
    items, failures = [], {}
    for video_id, path in plan.videos.items():
        if path is None:
            failures[video_id] = f"no such video: neither {video_id}.mp4 in its participant's folder nor {video_id}.*"
            continue
        try:
            content = run.store.digests.content(path)
        except OSError as error:
            failures[video_id] = f"{path}: {(error.strerror or 'unreadable').lower()}"
            continue
        items.append(Item(video_id, {"video": content}, {"video": str(path.resolve())}, 1.0))
    run.store.digests.save()
    videos = []
    for outcome in run_items(run, INDEX, items, resume):
        video_id = outcome.item.name
        if outcome.record is None:
            failures[video_id] = outcome.reason or "failed"
            continue
        index = load_index(outcome.folder)
        video = prepare(plan, settings, scene_graphs, outcome, index, outcome.item.inputs["video"])
        if isinstance(video, str):
            failures[video_id] = video
        else:
            videos.append(video)
    return videos, failures


def _not_followed(video: Video, made: Sequence[Made]) -> dict[str, str]:
    """The reason why a part of a video is missing from its results."""
    failed = [one.outcome for one in made if one.outcome.reason is not None]
    if not failed:
        return {}
    more = f"; {len(failed) - 1} more windows" if len(failed) > 1 else ""
    return {video.video_id: f"annotated without {failed[0].item.name}: {failed[0].reason}{more}"}


def _assemble(
    run: ItemRun,
    videos: Sequence[Video],
    made: dict[str, list[Made]],
    settings: Settings,
    models: Models,
    notes: Sequence[str],
    wanted: dict[str, bool],
    resume: bool,
) -> list[Outcome]:
    items = []
    for video in videos:
        done = [one for one in made[video.video_id] if one.outcome.record is not None]
        pairs = join(video, done, models) if settings.parallel else []
        what = {
            "interval": settings.interval,
            "objects": {str(number): list(names) for number, names in video.names.items()},
            "apart": settings.parallel and models.detector is not None,
            "carried": not settings.parallel,
            "pairs": [pair.model_dump(mode="json") for pair in pairs],
            "held_out": {
                str(number): [prompt.model_dump(mode="json") for prompt in prompts]
                for number, prompts in video.held_out.items()
            },
            **wanted,
        }
        inputs = {
            "video": video.content,
            "shards": [item_key(FOLLOW, one.outcome.item) for one in done],
            "title": video.video_id,
            "problems": [[problem.where, problem.what] for problem in video.problems],
            "stationary": video.stationary,
            **what,
        }
        request = {
            "video": str(video.path),
            "index": str(video.index_folder),
            "size": [video.info["width"], video.info["height"]],
            "shards": [one.shard().model_dump(mode="json") for one in done],
            "report": _report(video, done, settings, notes),
            **what,
        }
        items.append(Item(video.video_id, inputs, request, float(len(video.index))))
    return run_items(run, ASSEMBLE, items, resume)


def _report(video: Video, done: Sequence[Made], settings: Settings, notes: Sequence[str]) -> dict[str, Any]:
    info = video.info
    facts = [
        ("video", f"{info['width']}x{info['height']}, {info['fps']:.2f} frames/s, {len(video.index):,} frames"),
        ("mode", "parallel" if settings.parallel else "carry"),
        ("windows", f"{len(video.windows)} of {settings.window_s:g} s, overlap {settings.overlap_s:g} s"),
        ("annotated", f"every {settings.interval} frames, at {settings.scale:g} of the size"),
        ("followed", f"{settings.margin_s:g} s before and after each annotation"),
        *(("", note) for note in notes),
    ]
    windows = [
        {"name": one.outcome.item.name.removeprefix(f"{video.video_id} "), **(one.outcome.record or {})} for one in done
    ]
    problems = [(problem.where, problem.what) for problem in video.problems]
    title, duration_s = f"Annotations of {video.video_id}", float(video.index.times_s[-1])
    return {"title": title, "duration_s": duration_s, "facts": facts, "windows": windows, "problems": problems,
            "stationary": video.stationary}  # fmt: skip


def _record(
    run: ItemRun, videos: Sequence[Video], outcomes: Sequence[Outcome], settings: Settings, resume: bool
) -> list[Outcome]:
    items = []
    for video, outcome in zip(videos, outcomes, strict=True):
        if outcome.record is None:
            continue
        key = item_key(ASSEMBLE, outcome.item)
        source = {"video": str(video.path), "index": str(video.index_folder), "tracks": str(outcome.folder)}
        what = {"key": key, "max_side": video.max_side(settings.scale)}
        items.append(Item(video.video_id, what, {**source, **what}, float(outcome.record["frames"])))
    return run_items(run, RECORD, items, resume)


def _deliver(store: RunStore, video: Video, outcome: Outcome, folder: Path) -> None:
    """Put a video's results where they were asked for."""
    for made, wanted in _DELIVERED:
        deliver(outcome.folder / made, folder / wanted.format(video.video_id), store.digests)
    if video.held_out:
        deliver(outcome.folder / assembled.HOLD_OUT_FILE, folder / f"hold_out_{video.video_id}.jsonl", store.digests)
    problems = [json.dumps({"where": problem.where, "what": problem.what}) + "\n" for problem in video.problems]
    write_text(folder / f"problems_{video.video_id}.jsonl", "".join(problems))
    if video.stationary is not None:
        names = "".join(f"{name}\n" for name in video.stationary)
        write_text(folder / f"stationary_objects_{video.video_id}.txt", names)


def _summary(
    plan: Plan,
    videos: Sequence[Video],
    made: dict[str, list[Made]],
    outcomes: Sequence[Outcome],
    failures: dict[str, str],
    notes: list[str],
    folder: Path,
) -> Summary:
    known = {video.video_id: (video, outcome) for video, outcome in zip(videos, outcomes, strict=True)}
    rows = []
    for video_id in plan.videos:
        figures: tuple[str, ...] = ()
        cached = False
        if video_id in known and known[video_id][1].record is not None:
            video, outcome = known[video_id]
            figures = _figures(video, outcome.record or {}, made[video_id])
            cached = outcome.cached and all(one.outcome.cached for one in made[video_id])
        status = "failed" if video_id in failures else "cached" if cached else "done"
        rows.append(Row(video_id, status, figures, failures.get(video_id, "")))
    outputs = [("Results", str(folder))]
    outputs += [("Report", str(folder / f"report_{video.video_id}.html")) for video in videos]
    if failures:
        outputs.append(("Failures", str(folder / FAILURES)))
    heads = ("objects", "frames", "boxes", "doubtful links", "unused", "hold-out IoU", "seconds", "peak MiB")
    return Summary("Annotate long videos", heads, rows, outputs, notes)


def _figures(video: Video, record: dict[str, Any], made: Sequence[Made]) -> tuple[str, ...]:
    windows = [one.outcome.record for one in made if one.outcome.record is not None]
    peak = max((one["memory"]["host_peak_mib"] for one in windows), default=0.0)
    held = record["hold_out"]
    return (
        str(record["objects"]),
        str(record["frames"]),
        str(record["boxes"]),
        f"{record['ambiguous']} of {record['links']}",
        str(len(video.problems)),
        "" if held is None else f"{held['mean_iou']:.3f}",
        f"{sum(one['seconds'] for one in windows):.1f}",
        f"{peak:.0f}",
    )
