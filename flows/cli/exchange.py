"""`maskflow export` and `maskflow import`: results in other formats, and other formats as input."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from core.errors import MaskflowError, RefusedInput
from core.formats.exchange.exporting import Report, export
from core.formats.exchange.importing import write_prompts, write_results, write_scenes
from core.formats.exchange.notes import Notes
from core.formats.exchange.registry import FORMATS, READERS, read_results
from core.formats.exchange.selecting import Choice
from core.formats.exchange.sources import Sources
from core.store.safe_load import load_json
from flows.cli.console import open_console


def export_results(
    results: Path,
    *,
    to: Literal["coco", "coco-video", "cvat", "davis", "dense", "mot", "mots", "rerun", "results", "yolo"],
    output: Path,
    shape: Literal["mask", "polygon", "box"] | None = None,
    frames: bool = False,
    videos: Path | None = None,
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
    sources = Sources(there(videos))
    with progress() as report, one_line():
        found = read_results(results.expanduser(), format, sources)
        done = export(
            found, to, output.expanduser(), shape=shape, choice=Choice(read_labels(labels), min_score), shares=shares,
            pictures=sources.of(len(found)) if frames else None, report=report,
        )  # fmt: skip
    parts = "" if len(done.parts) < 2 else " (" + ", ".join(f"{n} {part}" for part, n in done.parts.items()) + ")"
    written = f"{_count(done.videos, 'video')}{parts}, {_count(done.frames, 'frame')}, {_count(done.tracks, 'track')}, "
    written += f"{done.objects:,} objects as {done.shape}"
    console.print(f"{output}: {to}: {written}", soft_wrap=True)
    console.print(f"Labels: {', '.join(done.labels) or 'none'}", soft_wrap=True)
    lost = f"masks; {FORMATS[to].loses}" if done.masks_lost else FORMATS[to].loses
    console.print(f"Not kept by {to}: {lost}", style="dim", soft_wrap=True)
    _print_lost_marks(console, done.marks_lost, to)
    if to == "yolo" and "val" not in done.parts:
        console.print("val in data.yaml is the training set: --split 0.8 0.2 makes one", style="yellow")
    print_notes(console, sources.notes)
    return 0


def import_annotations(
    annotations: Path,
    *,
    to: Literal["prompts", "results", "scenes"] = "prompts",
    output: Path,
    every: int | None = None,
    videos: Path | None = None,
    labels: list[str] | None = None,
    min_score: float = 0.0,
    format: str | None = None,  # noqa: A002 - what the flag is called
) -> int:
    """Make existing annotations into input for a flow.

    prompts: a JSON file for track-videos or annotate-long-video (--prompts), a mask or box for each object.
    results: a results.jsonl, to export, to evaluate against, or to look at.
    scenes: a folder for refine-masks (--data-root), pictures and id maps; takes --videos.

    Args:
        annotations: file or folder: coco, coco-video, cvat, davis, mot, mots, rerun, yolo, or results of a flow.
        to: prompts, results or scenes.
        output: file (prompts, results) or folder (scenes) to make.
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
    sources, output = Sources(there(videos)), output.expanduser()
    lost_marks = 0
    if to != "scenes" and output.is_dir():
        raise RefusedInput.of("output", str(output), "a file, not a folder that is there")
    if output.exists() and annotations.exists() and output.samefile(annotations):
        raise RefusedInput.of("output", str(output), "another file than the annotations themselves")
    console = open_console()
    with progress() as report, one_line():
        choice = Choice(read_labels(labels), min_score)
        found = [choice.of(video) for video in read_results(annotations.expanduser(), format, sources)]
        sources = sources.of(len(found))
        if to == "prompts":
            prompts, unknown = write_prompts(found, output, sources, every)
            made = ", ".join(f"{_count(number, 'prompt')} for {key}" for key, number in list(prompts.items())[:5])
            made += f" and {len(prompts) - 5} more" if len(prompts) > 5 else ""
        elif to == "results":
            lost_marks = write_results(found, output)
            made = _count(len(found), "video")
        else:
            write_scenes(found, output, sources, report)
            made = _count(len(found), "scene")
    choice.check()
    console.print(f"{output}: {made}", soft_wrap=True)
    _print_lost_marks(console, lost_marks, to)
    if to == "prompts" and unknown:
        names = ", ".join(unknown[:5]) + (" …" if len(unknown) > 5 else "")
        lost = f"The video of {names} was not found; its key is a name, and track-videos wants paths: give --videos"
        console.print(lost, style="yellow", soft_wrap=True)
    print_notes(console, sources.notes)
    return 0


def _print_lost_marks(console: Console, lost: int, to: str) -> None:
    if lost:
        loss = f"Lost: {_count(lost, 'region')} not to be judged, for which {to} has no place"
        console.print(Text(loss, "yellow"), soft_wrap=True)


def print_notes(console: Console, notes: Notes) -> None:
    """What readers left out or took for granted, the first few in full."""
    if notes:
        console.print(f"{_count(len(notes), 'note')} on what was read:", style="yellow")
    for line in notes.summary():
        console.print(Text(f"  {line}", "yellow"), soft_wrap=True)


def read_labels(labels: Sequence[str] | None) -> dict[str, str]:
    """`old=new` pairs, or the path of a JSON file of them. Raises `RefusedInput` for anything else."""
    renamed: dict[str, str] = {}
    for one in labels or []:
        if one.endswith(".json") and Path(one).is_file():
            names = load_json(Path(one))
            if not isinstance(names, dict) or not all(isinstance(value, str) for value in names.values()):
                raise RefusedInput.of("labels", one, 'a JSON object of names: {"old": "new"}')
            renamed |= names
            continue
        old, equals, new = one.rpartition("=")
        if not equals or not old.strip():
            raise RefusedInput.of("labels", one, "old=new, or the path of a JSON file")
        renamed[old.strip()] = new.strip()
    return renamed


def check_options(kind: str | None, min_score: float, parameter: str = "format") -> None:
    """Refuse a format that is not known, and a score that is none."""
    if kind is not None and kind not in READERS:
        raise RefusedInput.of(parameter, kind, ", ".join(sorted(READERS)))
    if not 0 <= min_score <= 1:
        raise RefusedInput.of("min_score", min_score, "0 to 1")


def _shares(split: list[float] | None) -> list[float]:
    shares = split or [1.0]
    if len(shares) > 3 or not all(0 <= share <= 1 for share in shares) or abs(sum(shares) - 1) > 1e-6:
        raise RefusedInput.of("split", shares, "two or three shares from 0 to 1 that sum to 1")
    return shares


def there(videos: Path | None) -> Path | None:
    """The path a user gave, with `~` filled in. Raises `RefusedInput` where nothing is there."""
    path = None if videos is None else videos.expanduser()
    if path is not None and not path.exists():
        raise RefusedInput.of("videos", str(videos), "a video, or a folder that is there")
    return path


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


@contextmanager
def one_line() -> Iterator[None]:
    """What cannot be read or written is refused, in one line."""
    try:
        yield
    except MaskflowError as error:
        raise error if isinstance(error, RefusedInput) else RefusedInput(str(error)) from None
    except OSError as error:
        raise RefusedInput(f"{error.filename}: {(error.strerror or str(error)).lower()}") from None


@contextmanager
def progress() -> Iterator[Report]:
    """A bar for each thing done to a video."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(show_speed=True), TimeElapsedColumn())
    console = open_console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bars = {}

        def report(what: str, done: int, expected: int | None) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what, total=None)
            progress.update(bars[what], completed=done, total=expected)

        yield report
