"""The most suspicious frames, for report pages."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from core.formats.exchange.model import VideoResults
from core.formats.review_jsonl import ReviewEntry
from core.masks import rle
from core.masks.draw import Drawn, draw_objects
from core.report.page import LOOK_FIRST, Picture, Section, Table
from core.text import clock
from core.video.source import open_video

_MOST_ROWS = 25
_ABOUT = (
    "Objects on frames that may be wrong, the most suspicious first; suspicion ranks, it is no probability. All of "
    "them are in the review file."
)


def review_section(entries: Sequence[ReviewEntry], pictures: Sequence[Picture], with_video: bool = True) -> Section:
    """The part of a page that shows what to look at first."""
    if not entries:
        return Section("Look at these first", "Nothing is suspicious.", rank=LOOK_FIRST)
    heads = ("video", "object", "frame", "time", "suspicion", "why") if with_video else (
        "object", "frame", "time", "suspicion", "why"
    )  # fmt: skip
    rows = [
        (
            *((one.video,) if with_video else ()), f"{one.obj_id} {one.label}", f"{one.source_frame}",
            clock(one.time_s), f"{one.suspicion:.2f}", one.why,
        )
        for one in entries[:_MOST_ROWS]
    ]  # fmt: skip
    return Section("Look at these first", _ABOUT, pictures=pictures, table=Table(heads, rows), rank=LOOK_FIRST)


def draw_entries(
    entries: Sequence[ReviewEntry], videos: Mapping[str, tuple[VideoResults, Path]], most: int
) -> list[Picture]:
    """Pictures of the most suspicious entries, one for each object at most; only what is suspicious is drawn in.

    Args:
        entries: the most suspicious first.
        videos: results and source, by the entries' video.
        most: number of pictures.

    Raises:
        BadMedia, OSError, ValueError: a video cannot be read.
    """
    chosen: dict[tuple[str, str], ReviewEntry] = {}
    for entry in entries:
        if len(chosen) < most and entry.video in videos:
            chosen.setdefault((entry.video, entry.obj_id), entry)
    return [_draw(entry, *videos[entry.video]) for entry in chosen.values()]


def _draw(entry: ReviewEntry, video: VideoResults, path: Path) -> Picture:
    found = next(frame for frame in video.read() if frame.source_frame == entry.source_frame)
    with open_video(path) as source:
        index = source.index()
    with open_video(path) as source:
        (shown,) = source.frames_at(index, [entry.source_frame])
    drawn = [
        Drawn(one.obj_id, rle.decode(one.rle), f"{one.obj_id} {one.label}")
        for one in found.objects
        if str(one.obj_id) == entry.obj_id and one.rle is not None
    ]
    caption = f"{entry.video}: {entry.obj_id} {entry.label}, frame {entry.source_frame}, {clock(entry.time_s)}"
    return Picture(draw_objects(shown.image, drawn), f"{caption}: {entry.why}")
