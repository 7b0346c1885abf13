"""The results of a run, put where they belong, with what they were made with."""

import json
from collections.abc import Sequence
from pathlib import Path

from core.errors import RefusedInput
from core.formats.corrections import Corrections, used_corrections, write_corrections
from core.formats.exchange.dense import DenseInfo, info_file
from core.formats.run_command import RunCommand, write_command
from core.formats.sparse_annotations import Problem
from core.formats.tracks import VideoHead
from core.long_video import assemble_item as assembled
from core.long_video.correcting import read_known
from core.long_video.draw_item import RECORDING_FILE, VIDEO_FILE
from core.report.page import REPORT_FILE
from core.store.atomic import write_text
from flows.annotate_long_video.correcting import Corrected
from flows.annotate_long_video.videos import Video
from tasks.items import Outcome
from tasks.reporting.delivery import deliver, undelivered
from tasks.reporting.facts import command_words
from tasks.store import RunStore

REPORT = ("report", "report_{}.html")
VIDEO, RECORDING = "annotated_{}.mp4", "recording_{}.rrd"
_DELIVERED = (
    (assembled.DENSE_FILE, "dense_annotations_{}.jsonl"),
    (assembled.LINKS_FILE, "links_{}.jsonl"),
    (assembled.REVIEW_FILE, "review_{}.jsonl"),
    (REPORT_FILE, "report_{}.html"),
)
_DRAWN = ((RECORDING_FILE, RECORDING), (VIDEO_FILE, VIDEO))


def deliver_results(
    store: RunStore,
    videos: Sequence[Video],
    outcomes: Sequence[Outcome],
    drawn: dict[str, Outcome],
    folder: Path,
    interval: int,
    corrected: Corrected | None,
) -> dict[str, str]:
    """Put the results where they belong; the reason for each video that has none, or not all."""
    failures = {}
    for video, outcome in zip(videos, outcomes, strict=True):
        if outcome.record is None:
            failures[video.video_id] = outcome.reason or "failed"
        else:
            try:
                problems = video.problems if corrected is None else [*video.problems, *corrected.problems(video)]
                _deliver(store, video, outcome, folder, interval, problems)
            except (OSError, RefusedInput) as error:
                failures[video.video_id] = undelivered(error)
    for video_id, outcome in drawn.items():
        if outcome.record is None:
            failures[video_id] = outcome.reason or "failed"
            for _, wanted in _DRAWN:
                (folder / wanted.format(video_id)).unlink(missing_ok=True)  # that of an earlier run would not be true
            continue
        for made, wanted in _DRAWN:
            try:
                if (outcome.folder / made).is_file():
                    deliver(outcome.folder / made, folder / wanted.format(video_id), store.digests)
            except (OSError, RefusedInput) as error:
                failures[video_id] = undelivered(error)
    return failures


def _deliver(
    store: RunStore, video: Video, outcome: Outcome, folder: Path, interval: int, problems: Sequence[Problem]
) -> None:
    # First what the annotations were made with: who sees them knows it, too.
    _write_provenance(folder, video)
    _write_info(folder, video, outcome, interval)
    for made, wanted in _DELIVERED:
        deliver(outcome.folder / made, folder / wanted.format(video.video_id), store.digests)
    if video.held_out:
        deliver(outcome.folder / assembled.HOLD_OUT_FILE, folder / f"hold_out_{video.video_id}.jsonl", store.digests)
    write_problems(folder, video.video_id, problems)
    if video.stationary is not None:
        names = "".join(f"{name}\n" for name in video.stationary)
        write_text(folder / f"stationary_objects_{video.video_id}.txt", names)


def _write_info(folder: Path, video: Video, outcome: Outcome, interval: int) -> None:
    """Write `video_info_{video_id}.json`: what annotations do not say of their video, for those who convert or correct
    them."""
    head = VideoHead(
        width=video.info["width"],
        height=video.info["height"],
        original_fps=round(video.info["fps"], 6),
        process_fps=round(video.info["fps"] / interval, 6),
        total_frames=len(video.index),
    )
    known = read_known(outcome.folder / assembled.OBJECTS_FILE)
    numbers = {one.assoc_id: number for number, one in known.items()}
    if video.corrections is not None:  # objects that are there by corrections alone are called by their numbers
        drawn = {one.obj_id for one in video.corrections.prompts} | {one.becomes for one in video.corrections.ids}
        numbers |= {str(number): number for number in drawn - known.keys()}
    info = DenseInfo(**head.model_dump(), video_path=video.source, numbers=numbers)
    write_text(folder / info_file(video.video_id), info.model_dump_json() + "\n")


def _write_provenance(folder: Path, video: Video) -> None:
    """Beside the annotations, for who corrects them: the command that made them, and the corrections in them."""
    results = folder / f"dense_annotations_{video.video_id}.jsonl"
    write_command(results, RunCommand(words=command_words(), folder=Path.cwd()))
    used = used_corrections(results)
    if video.corrections is None:
        used.unlink(missing_ok=True)
    else:
        write_corrections(used, Corrections(videos={video.video_id: video.corrections}))


def write_problems(folder: Path, video_id: str, problems: Sequence[Problem]) -> None:
    """Write `problems_{video_id}.jsonl`: where and why an annotation could not be used, a line each."""
    lines = (json.dumps({"where": one.where, "what": one.what}, ensure_ascii=False) + "\n" for one in problems)
    write_text(folder / f"problems_{video_id}.jsonl", "".join(lines))
