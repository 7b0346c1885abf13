"""`maskflow export` and `maskflow import`: results in other formats, and other formats as input."""

from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.text import Text

from core.errors import RefusedInput
from core.formats.corrections import Corrections, write_corrections
from core.formats.exchange.differences import corrections_of, pair_videos
from core.formats.exchange.exporting import export
from core.formats.exchange.importing import write_prompts, write_results, write_scenes
from core.formats.exchange.model import VideoResults
from core.formats.exchange.registry import FORMATS, read_results
from core.formats.exchange.selecting import Choice
from core.formats.exchange.sources import Sources
from flows.cli.console import open_console
from flows.cli.paths import HomePath
from flows.cli.results_options import check_options, count, existing, one_line, print_notes, progress, read_labels


def export_results(
    results: HomePath,
    *,
    to: Literal["coco", "coco-video", "cvat", "davis", "dense", "mot", "mots", "rerun", "results", "yolo"],
    output: HomePath,
    shape: Literal["mask", "polygon", "box"] | None = None,
    frames: bool = False,
    videos: HomePath | None = None,
    split: list[float] | None = None,
    labels: list[str] | None = None,
    min_score: float = 0.0,
    format: str | None = None,  # noqa: A002 - what the flag is called
) -> int:
    """Write results in a format that other tools read.

    RESULTS is what a flow wrote (results.jsonl, dense_annotations_ID.jsonl, a folder of scenes), or annotations in any
    of the formats. OUTPUT is made as a whole, or not at all.

    Args:
        results: file or folder of results.
        to: coco, coco-video (YouTube-VIS), cvat (video 1.1), davis (2017), mot, mots, rerun, yolo; or again results or
            dense.
        output: folder to make; it must be empty, or not there yet.
        shape: mask, polygon or box; what the format likes best, and the results have, when left out.
        frames: write the pictures of all frames too, where the format has them.
        videos: the videos, or the folder they are in, where they are no longer where the results say.
        split: shares of train, val and test, as in 0.8 0.1 0.1; a video is in one part only, if there are enough.
        labels: new names of labels, as in "red ball=ball"; "red ball=" leaves it out.
        min_score: leave out objects on frames where their score is lower.
        format: what RESULTS is, where it cannot be seen: one of the formats, id-maps, results or dense.
    """
    check_options(format, min_score)
    shares = _shares(split)
    console = open_console()
    sources = Sources(existing(videos))
    with progress() as report, one_line():
        found = read_results(results, format, sources)
        done = export(
            found, to, output, shape=shape, choice=Choice(read_labels(labels), min_score), shares=shares,
            pictures=sources.of(len(found)) if frames else None, report=report,
        )  # fmt: skip
    parts = "" if len(done.parts) < 2 else " (" + ", ".join(f"{n} {part}" for part, n in done.parts.items()) + ")"
    written = f"{count(done.videos, 'video')}{parts}, {count(done.frames, 'frame')}, {count(done.tracks, 'track')}, "
    written += f"{done.objects:,} objects as {done.shape}"
    console.print(f"{output}: {to}: {written}", soft_wrap=True)
    console.print(f"Labels: {', '.join(done.labels) or 'none'}", soft_wrap=True)
    lost = f"masks; {FORMATS[to].loses}" if done.masks_lost else FORMATS[to].loses
    if lost:
        console.print(f"Not kept by {to}: {lost}", style="dim", soft_wrap=True)
    _print_lost_marks(console, done.marks_lost, to)
    if to == "yolo" and "val" not in done.parts:
        console.print("val in data.yaml is the training set: --split 0.8 0.2 makes one", style="yellow")
    print_notes(console, sources.notes)
    return 0


def import_annotations(
    annotations: HomePath,
    *,
    to: Literal["prompts", "results", "scenes", "corrections"] = "prompts",
    output: HomePath,
    results: HomePath | None = None,
    every: int | None = None,
    videos: HomePath | None = None,
    labels: list[str] | None = None,
    min_score: float = 0.0,
    format: str | None = None,  # noqa: A002 - what the flag is called
) -> int:
    """Make existing annotations into input for a flow.

    prompts: a JSON file for track-videos or annotate-long-video (--prompts), a mask or box for each object.
    results: a results.jsonl, to export, to evaluate against, or to look at.
    scenes: a folder for refine-masks (--data-root), pictures and id maps; takes --videos.
    corrections: of results that were exported and corrected elsewhere, what was changed, for track-videos
    (--corrections); takes --results.

    Args:
        annotations: file or folder: coco, coco-video, cvat, davis, mot, mots, rerun, yolo, or results of a flow.
        to: prompts, results, scenes or corrections.
        output: file (prompts, results, corrections) or folder (scenes) to make.
        results: of corrections: the results as they were.
        every: of prompts: one also on every so many frames after an object's first; only there when left out.
        videos: the videos, or the folder they are in.
        labels: new names of labels, as in "pedestrian=person"; "pedestrian=" leaves it out.
        min_score: leave out objects on frames where their score is lower.
        format: what ANNOTATIONS is, where it cannot be seen.
    """
    check_options(format, min_score)
    if every is not None and every < 1:
        raise RefusedInput.of("every", every, "1 or more frames")
    if every is not None and to != "prompts":
        raise RefusedInput.of("every", every, "only where --to is prompts")
    if (results is None) == (to == "corrections"):
        wanted = "the results as they were before they were corrected" if results is None else "only for corrections"
        raise RefusedInput.of("results", None if results is None else str(results), wanted)
    sources = Sources(existing(videos))
    lost_marks = 0
    if to != "scenes" and output.is_dir():
        raise RefusedInput.of("output", str(output), "a file, not a folder that is there")
    if output.exists() and annotations.exists() and output.samefile(annotations):
        raise RefusedInput.of("output", str(output), "another file than the annotations themselves")
    console = open_console()
    with progress() as report, one_line():
        choice = Choice(read_labels(labels), min_score)
        found = [choice.of(video) for video in read_results(annotations, format, sources)]
        sources = sources.of(len(found))
        if to == "prompts":
            prompts, unknown = write_prompts(found, output, sources, every)
            made = ", ".join(f"{count(number, 'prompt')} for {key}" for key, number in list(prompts.items())[:5])
            made += f" and {len(prompts) - 5} more" if len(prompts) > 5 else ""
        elif results is not None:
            made = _write_differences(found, results, output)
        elif to == "results":
            lost_marks = write_results(found, output)
            made = count(len(found), "video")
        else:
            write_scenes(found, output, sources, report)
            made = count(len(found), "scene")
    choice.check()
    console.print(f"{output}: {made}", soft_wrap=True)
    _print_lost_marks(console, lost_marks, to)
    if to == "prompts" and unknown:
        names = ", ".join(unknown[:5]) + (" …" if len(unknown) > 5 else "")
        lost = f"The video of {names} was not found; its key is a name, and track-videos wants paths: give --videos"
        console.print(lost, style="yellow", soft_wrap=True)
    print_notes(console, sources.notes)
    return 0


def _write_differences(edited: list[VideoResults], results: Path, output: Path) -> str:
    """Write what was changed in results; what that is, in words."""
    pairs = pair_videos(edited, read_results(results))
    changed = {was.path or was.name: corrections_of(now, was) for now, was in pairs}
    write_corrections(output, Corrections(videos=changed))
    every = list(changed.values())
    numbers = {
        "changed shape": sum(len(one.prompts) for one in every),
        "absence": sum(len(one.absent) for one in every),
        "label": sum(len(one.labels) for one in every),
    }
    return ", ".join(count(number, what) for what, number in numbers.items())


def _print_lost_marks(console: Console, lost: int, to: str) -> None:
    if lost:
        loss = f"Lost: {count(lost, 'region')} not to be judged, for which {to} has no place"
        console.print(Text(loss, "yellow"), soft_wrap=True)


def _shares(split: list[float] | None) -> list[float]:
    shares = split or [1.0]
    if len(shares) > 3 or not all(0 <= share <= 1 for share in shares) or abs(sum(shares) - 1) > 1e-6:
        raise RefusedInput.of("split", shares, "two or three shares from 0 to 1 that sum to 1")
    return shares
