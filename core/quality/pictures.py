"""The most suspicious frames, for report pages."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from core.formats.exchange.model import VideoResults
from core.formats.review_jsonl import ReviewEntry
from core.masks import rle
from core.masks.draw import Drawn, draw_objects
from core.report.page import Picture, Section, Table, look_first
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
        return look_first(_ABOUT, None)
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
    return look_first(_ABOUT, Table(heads, rows), pictures)


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
    drawn: dict[tuple[str, str], Picture] = {}
    for name in {video for video, _ in chosen}:
        drawn |= _draw({key: entry for key, entry in chosen.items() if key[0] == name}, *videos[name])
    return [drawn[key] for key in chosen if key in drawn]


def _draw(
    entries: Mapping[tuple[str, str], ReviewEntry], video: VideoResults, path: Path
) -> dict[tuple[str, str], Picture]:
    """The entries of one video, read once; at the size of its masks."""
    wanted = sorted({entry.source_frame for entry in entries.values()})
    found = {frame.source_frame: frame for frame in video.read() if frame.source_frame in wanted}
    sides = [max(one.rle["size"]) for frame in found.values() for one in frame.objects if one.rle is not None]
    with open_video(path) as source:
        index = source.index()
    with open_video(path) as source:
        images = {f.source_frame: f.image for f in source.frames_at(index, wanted, max(sides, default=None))}
    pictures = {}
    for key, entry in entries.items():
        seen = found[entry.source_frame].objects if entry.source_frame in found else ()
        drawn = [
            Drawn(one.obj_id, rle.decode(one.rle), f"{one.obj_id} {one.label}")
            for one in seen
            if entry.obj_id in (str(one.obj_id), one.name) and one.rle is not None
        ]
        caption = f"{entry.video}: {entry.obj_id} {entry.label}, frame {entry.source_frame}, {clock(entry.time_s)}"
        image = draw_objects(images[entry.source_frame], drawn)
        pictures[key] = Picture(image, f"{caption}: {entry.why}")
    return pictures
