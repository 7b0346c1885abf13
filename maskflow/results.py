"""What is done with results: read, write in other formats, judge."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Literal

import core.evaluation.evaluate
import core.formats.exchange.exporting
import core.formats.exchange.registry
from core.evaluation.evaluate import Evaluation, How
from core.formats.exchange.exporting import Exported
from core.formats.exchange.model import VideoResults
from core.formats.exchange.reading import read_both
from core.formats.exchange.selecting import Choice
from core.formats.exchange.sources import Sources

AnyPath = str | PathLike[str]
Results = AnyPath | Sequence[VideoResults]


def read_results(path: AnyPath, *, videos: AnyPath | None = None, format: str | None = None) -> list[VideoResults]:  # noqa: A002 - the field's word
    """What a flow wrote, or annotations in any format that `maskflow export` writes, one entry a video.

    Frames are read as they are asked for: `for frame in video.read()`.

    Args:
        path: file or folder.
        videos: the videos, or the folder they are in, for what a format does not hold of them.
        format: what `path` is, where that cannot be seen.

    Raises:
        MaskflowError: it is none of these, or cannot be read.
    """
    return core.formats.exchange.registry.read_results(Path(path), format, Sources(_path(videos)))


def export(
    results: Results,
    *,
    to: str,
    output: AnyPath,
    videos: AnyPath | None = None,
    frames: bool = False,
    shape: Literal["mask", "polygon", "box"] | None = None,
    labels: Mapping[str, str] | None = None,
    min_score: float = 0.0,
) -> Exported:
    """Write results in a format that other tools read, as `maskflow export` does.

    Args:
        results: file or folder, or what `read_results` gave.
        to: coco, coco-video, cvat, davis, mot, mots, rerun, yolo, results or dense.
        output: folder to make; it must be empty, or not there yet.
        videos: the videos, or the folder they are in, where they are not where the results say.
        frames: write the pictures of all frames too, where the format has them.
        shape: of the objects; what the format likes best when left out.
        labels: new names of labels; an empty one leaves it out.
        min_score: leave out objects on frames where their score is lower.

    Raises:
        RefusedInput: the results do not go into this format, or the folder is not empty.
    """
    sources = Sources(_path(videos))
    found = _read(results, sources)
    return core.formats.exchange.exporting.export(
        found,
        to,
        Path(output),
        shape=shape,
        choice=Choice(dict(labels or {}), min_score),
        pictures=sources.of(len(found)) if frames else None,
    )


def evaluate(
    results: AnyPath,
    *,
    truth: AnyPath,
    videos: AnyPath | None = None,
    match: Literal["optimal", "same"] = "optimal",
    foreground: bool = False,
    by_label: bool = False,
    skip_ends: bool = False,
) -> Evaluation:
    """Judge results by the truth: J&F, HOTA, IDF1, MOTA, average precision, as `maskflow evaluate` does.

    Args:
        results: file or folder, in any format.
        truth: what is right, likewise.
        videos: the videos, or the folder they are in, for what formats do not hold.
        match: `optimal` finds which id of the results is which of the truth; `same` takes equal ids.
        foreground: judge all objects of a frame as one.
        by_label: only objects of equal labels belong together.
        skip_ends: leave out each video's first and last frame, as DAVIS does.

    Raises:
        RefusedInput: the two have nothing in common that can be judged.
    """
    found, right, _ = read_both(Path(results), None, Path(truth), None, Sources(_path(videos)))
    return core.evaluation.evaluate.evaluate(right, found, How(match, foreground, by_label, skip_ends), _quietly)


def _quietly(what: str, done: int, expected: int | None) -> None:
    """Progress that nobody watches."""


def _read(results: Results, sources: Sources) -> list[VideoResults]:
    if isinstance(results, str | PathLike):
        return core.formats.exchange.registry.read_results(Path(results), None, sources)
    return list(results)


def _path(path: AnyPath | None) -> Path | None:
    return None if path is None else Path(path)
