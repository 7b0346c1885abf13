"""From followed windows to results: assembled, recorded, delivered, summarised."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.masks.draw import Style
from core.report.page import fact_of
from flows.annotate_long_video.correcting import Corrected
from flows.annotate_long_video.delivering import RECORDING, REPORT, VIDEO
from flows.annotate_long_video.follow import FOLLOW, Following, Made
from flows.annotate_long_video.plan import FAILURES, Plan
from flows.annotate_long_video.videos import ModelSpecs, Settings, Video
from tasks.inputs import Files
from tasks.items import Item, Outcome, Stage, item_key
from tasks.reporting.facts import run_facts
from tasks.reporting.summary import Row, Summary
from tasks.running import ItemRun, run_items

ASSEMBLE = Stage(
    "assemble",
    "core.long_video.assemble_item:assemble_video",
    lambda done: [f"{done['boxes']} boxes of {done['objects']} objects on {done['frames']} frames"],
    page=True,
    version=3,
)
DRAW = Stage(
    "draw",
    "core.long_video.draw_item:draw_video",
    lambda done: [f"{done['frames']} frames drawn in {done['seconds']:.2f}s"],
)


def not_followed(video: Video, made: Sequence[Made]) -> dict[str, str]:
    """The reason why a part of a video is missing from its results."""
    failed = [one.outcome for one in made if one.outcome.reason is not None]
    if not failed:
        return {}
    more = f"; {len(failed) - 1} more windows" if len(failed) > 1 else ""
    return {video.video_id: f"annotated without {failed[0].item.name}: {failed[0].reason}{more}"}


def assemble(
    run: ItemRun,
    videos: Sequence[Video],
    followed: dict[str, Following],
    settings: Settings,
    specs: ModelSpecs,
    notes: Sequence[str],
    masks: bool,
    drawn: "Drawn",
    folder: Path,
    corrected: Corrected | None = None,
) -> list[Outcome]:
    """Put every video together, with what was corrected."""
    items = []
    for video in videos:
        done = [one for one in followed[video.video_id].made if one.outcome.record is not None]
        what = {
            "video_id": video.video_id,
            "interval": settings.interval,
            "objects": {str(number): list(names) for number, names in video.names.items()},
            "apart": settings.parallel and specs.detector is not None,
            "carried": not settings.parallel,
            "pairs": [pair.model_dump(mode="json") for pair in followed[video.video_id].pairs],
            "held_out": {
                str(number): [prompt.model_dump(mode="json") for prompt in prompts]
                for number, prompts in video.held_out.items()
            },
            "masks": masks,
            "tracks": drawn.annotated_video or drawn.recording,
        }
        files = {word: name.format(video.video_id) for word, name in drawn.files}
        about = {
            **_report(video, done, settings, notes),
            "files": files,
            "run": run_facts(run.made, folder / f"dense_annotations_{video.video_id}.jsonl"),
        }
        correct = None if corrected is None else corrected.request(video)
        if corrected is not None:
            about["problems"] += [(one.where, one.what) for one in corrected.problems(video)]
        inputs = {
            "video": video.content,
            "shards": [
                [item_key(FOLLOW, one.outcome.item), one.segment, one.window.index, one.direction] for one in done
            ],
            "report": {name: value for name, value in about.items() if name not in ("windows", "run")},  # timings
            **what,
            **({} if correct is None else {"correct": correct[1]}),
        }
        request = {
            "video": video.source,
            "index": str(video.index_folder),
            "size": [video.info["width"], video.info["height"]],
            "shards": [one.shard().model_dump(mode="json") for one in done],
            "report": about,
            **what,
            **({} if correct is None else {"correct": correct[0]}),
        }
        items.append(Item(f"{video.video_id} (assemble)", inputs, request, float(len(video.index))))
    return run_items(run, ASSEMBLE, items, inputs=Files(run.store, "video"))


def _report(video: Video, done: Sequence[Made], settings: Settings, notes: Sequence[str]) -> dict[str, Any]:
    info = video.info
    facts = [
        ("video", f"{info['width']}x{info['height']}, {info['fps']:.2f} frames/s, {len(video.index):,} frames"),
        ("mode", "parallel" if settings.parallel else "carry"),
        ("windows", _cut_into(video, settings)),
        ("annotated", f"every {settings.interval} frames, at {settings.scale:g} of the size"),
        ("followed", f"{settings.margin_s:g} s before and after each annotation"),
        *map(fact_of, notes),
    ]
    windows = [
        {"name": one.outcome.item.name.removeprefix(f"{video.video_id} "), **(one.outcome.record or {})} for one in done
    ]
    problems = [(problem.where, problem.what) for problem in video.problems]
    title, duration_s = f"Annotations of {video.video_id}", float(video.index.times_s[-1])
    return {"title": title, "duration_s": duration_s, "facts": facts, "windows": windows, "problems": problems,
            "stationary": video.stationary}  # fmt: skip


def _cut_into(video: Video, settings: Settings) -> str:
    every = settings.window_s - settings.overlap_s
    number = sum(map(len, video.segments))
    cut = f"{number}, one every {every:g} s ({settings.window_s:g} s, overlap {settings.overlap_s:g} s)"
    return f"{cut}, in {len(video.segments)} segments side by side" if settings.parallel else cut


@dataclass(frozen=True)
class Drawn:
    """What is drawn of each video, and how."""

    annotated_video: bool
    recording: bool
    style: Style

    @property
    def files(self) -> list[tuple[str, str]]:
        """What is delivered for people to open, by what it is, with a place for the id of the video."""
        return [("annotations", "dense_annotations_{}.jsonl"), ("review", "review_{}.jsonl"), *self.drawn]

    @property
    def drawn(self) -> list[tuple[str, str]]:
        """Of these what is drawn."""
        video = [("annotated video", VIDEO)] if self.annotated_video else []
        return video + ([("recording", RECORDING)] if self.recording else [])


def draw(
    run: ItemRun,
    videos: Sequence[Video],
    followed: dict[str, Following],
    outcomes: Sequence[Outcome],
    settings: Settings,
    wanted: Drawn,
) -> dict[str, Outcome]:
    """Draw every video that was put together, by id; none where nothing is wanted."""
    items = {}
    for video, outcome in zip(videos, outcomes, strict=True):
        if outcome.record is None or not (wanted.annotated_video or wanted.recording):
            continue
        source = {"video": video.source, "index": str(video.index_folder), "tracks": str(outcome.folder)}
        what = {
            "key": item_key(ASSEMBLE, outcome.item), "max_side": video.max_side(settings.scale),
            "interval": settings.interval, "spans": _spans(followed[video.video_id]), **asdict(wanted),
        }  # fmt: skip
        frames = float(outcome.record["frames"])
        items[video.video_id] = Item(f"{video.video_id} (drawing)", what, {**source, **what}, frames)
    return dict(zip(items, run_items(run, DRAW, list(items.values()), inputs=Files(run.store, "video")), strict=True))


def _spans(following: Following) -> list[list[int]]:
    """First frame and end of the windows that were followed and in which nothing failed: there the video is sound."""
    tried = {(one.window.first, one.window.end) for one in following.made}
    failed = {(one.window.first, one.window.end) for one in following.made if one.outcome.record is None}
    return [[first, end] for first, end in sorted(tried - failed)]


def summary(
    plan: Plan,
    videos: Sequence[Video],
    followed: dict[str, Following],
    outcomes: Sequence[Outcome],
    failures: dict[str, str],
    notes: list[str],
    folder: Path,
    wanted: Drawn,
) -> Summary:
    """What the run did, for people."""
    known = {video.video_id: (video, outcome) for video, outcome in zip(videos, outcomes, strict=True)}
    rows = []
    for video_id in plan.videos:
        figures: tuple[str, ...] = ()
        cached = False
        if video_id in known and known[video_id][1].record is not None:
            video, outcome = known[video_id]
            figures = _figures(video, outcome.record or {}, followed[video_id].made)
            cached = outcome.cached and all(one.outcome.cached for one in followed[video_id].made)
        status = "failed" if video_id in failures else "cached" if cached else "done"
        places = [(word, folder / name.format(video_id)) for word, name in (REPORT, *wanted.files)]
        files = tuple((word, str(place)) for word, place in places if figures and place.is_file())
        rows.append(Row(video_id, status, figures, failures.get(video_id, ""), files))
    outputs = [("Results", str(folder))]
    for word, name in (*wanted.drawn, REPORT):
        made = (folder / name.format(video.video_id) for video in videos)
        outputs += [(word.capitalize(), str(place)) for place in made if place.is_file()]
    for video in videos:
        lost = [problem.where for problem in video.problems if problem.lost]
        if video.problems:
            outputs.append(("Problems", f"{folder / f'problems_{video.video_id}.jsonl'} ({len(video.problems)})"))
        if lost:
            more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
            outputs.append(("Not annotated for want of a usable annotation", ", ".join(lost[:5]) + more))
    if failures:
        outputs.append(("Failures", str(folder / FAILURES)))
    heads = ("objects", "boxes", "doubtful", "unused", "IoU", "MiB")
    return Summary("Annotate long videos", heads, rows, outputs, notes)


def _figures(video: Video, record: dict[str, Any], made: Sequence[Made]) -> tuple[str, ...]:
    """Objects, boxes, doubtful of all links, annotations that could not be used, IoU where held out, peak memory."""
    windows = [one.outcome.record for one in made if one.outcome.record is not None]
    peak = max((one["memory"]["host_peak_mib"] for one in windows), default=0.0)
    held = record["hold_out"]
    return (
        str(record["objects"]),
        str(record["boxes"]),
        f"{record['ambiguous']}/{record['links']}",
        str(sum(not problem.lost for problem in video.problems)),
        "" if held is None else f"{held['mean_iou']:.3f} of {held['annotations']}",
        f"{peak:.0f}",
    )
