"""Writing results in a format: all of it, or nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import RefusedInput
from core.formats.exchange.material import Format, Material, Shape
from core.formats.exchange.model import SeenFrame, VideoResults, take_census
from core.formats.exchange.pictures import write_pictures
from core.formats.exchange.registry import FORMATS
from core.formats.exchange.selecting import Choice, split
from core.formats.exchange.sources import Sources
from core.store.atomic import atomic_folder

Report = Callable[[str, int, int | None], None]
"""Told what is done to which video, frames done, and frames expected."""


def _quietly(what: str, done: int, expected: int | None) -> None:
    del what, done, expected


@dataclass(frozen=True)
class Exported:
    """What was written: videos, frames, tracks, objects (sightings), the labels in the order of their numbers.

    `masks_lost`: there were masks, and only boxes were written. `marks_lost`: how many marks of what is not judged the
    format has no place for.
    """

    videos: int
    frames: int
    tracks: int
    objects: int
    labels: Sequence[str]
    parts: Mapping[str, int]
    shape: Shape
    masks_lost: bool
    marks_lost: int


def export(
    videos: Sequence[VideoResults],
    to: str,
    output: Path,
    *,
    shape: Shape | None = None,
    choice: Choice | None = None,
    shares: Sequence[float] = (1.0,),
    pictures: Sources | None = None,
    report: Report = _quietly,
) -> Exported:
    """Write videos in a format, as a new folder.

    Args:
        videos: of different names.
        to: name of the format.
        output: the folder to make; one that holds something already is refused.
        shape: of objects; None: what the format likes best and the results have.
        choice: what of them is written.
        shares: see `split`.
        pictures: where the videos are, if the frames' pictures are wanted too.
        report: gets how far it is.

    Raises:
        RefusedInput: the folder is not empty, or the format cannot hold what is requested. Nothing was written.
        BadResults: the results (or pictures) cannot be read, or do not fit the format. Nothing is left.
    """
    output, wanted, choice = output.resolve(), FORMATS[to], choice or Choice()
    need_empty(output)
    if pictures is not None and wanted.picture is None and to != "rerun":
        raise RefusedInput.of("frames", True, f"{to} has no pictures")
    parts = split([choice.of(video) for video in videos], shares)
    everything = [video for part in parts.values() for video in part]
    census = {video.name: take_census(_watched(video, "reading", report)) for video in everything}
    choice.check()
    if not any(one.tracks for one in census.values()):
        raise RefusedInput("nothing to write: no object on any frame (that is chosen by labels and min_score)")
    material = Material(
        {part: [_watched(video, "writing", report) for video in own] for part, own in parts.items()},
        census,
        sorted({label for one in census.values() for label in one.labels}),
        _shape(wanted, shape, all(one.masks or not one.tracks for one in census.values())),
        pictures,
    )
    with atomic_folder(output) as folder:
        wanted.write(folder, material)
        if pictures is not None and wanted.picture is not None:
            _write_pictures(folder, wanted, parts, pictures, report)
    return Exported(
        videos=len(everything),
        frames=sum(one.frames for one in census.values()),
        tracks=sum(len(one.tracks) for one in census.values()),
        objects=sum(track.frames for one in census.values() for track in one.tracks.values()),
        labels=material.labels,
        parts={part: len(own) for part, own in parts.items()},
        shape=material.shape,
        masks_lost=material.shape == "box" and any(one.masks for one in census.values()),
        marks_lost=sum(n for one in census.values() for rule, n in one.marks.items() if rule not in wanted.marks),
    )


def need_empty(output: Path) -> None:
    """Raises `RefusedInput` where a folder holds something already."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise RefusedInput.of("output", str(output), "a folder that is empty, or not there yet")


def _shape(wanted: Format, shape: Shape | None, masks: bool) -> Shape:
    """The shape of objects: as requested, if format and results have it; else the first that both have."""
    if shape is not None and shape not in wanted.shapes:
        raise RefusedInput.of("shape", shape, f"{wanted.name} holds {' or '.join(wanted.shapes)}")
    if shape is not None and shape != "box" and not masks:
        raise RefusedInput.of("shape", shape, "not every object has a mask: box (or track with --masks)")
    usable = [one for one in wanted.shapes if one == "box" or masks]
    if not usable:
        raise RefusedInput(f"{wanted.name} holds masks, and not every object has one: track with --masks")
    return shape or usable[0]


def _write_pictures(
    folder: Path, wanted: Format, parts: Mapping[str, Sequence[VideoResults]], pictures: Sources, report: Report
) -> None:
    for part, videos in parts.items():
        for video in videos:

            def place(frame: int, part: str = part, name: str = video.name) -> str:
                assert wanted.picture is not None
                return wanted.picture(part, name, frame)

            write_pictures(folder, _watched(video, "pictures of", report), pictures, place)


def _watched(video: VideoResults, what: str, report: Report) -> VideoResults:
    def read() -> Iterator[SeenFrame]:
        for done, frame in enumerate(video.read(), 1):
            yield frame
            if done % 100 == 0:
                report(f"{what} {video.name}", done, None)
        report(f"{what} {video.name}", 1, 1)

    return replace(video, read=read)
