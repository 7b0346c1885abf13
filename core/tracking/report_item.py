"""The work of one item: the page about a run of tracked videos."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from core.errors import BadMedia
from core.formats.exchange.tracked_folder import tracked_video
from core.formats.review_jsonl import read_review
from core.formats.tracks import FrameRecord, VideoHead, read_frames, read_head
from core.item import Record, item
from core.masks.draw import draw_objects
from core.progress import Progress
from core.quality.pictures import draw_entries, review_section
from core.quality.review import worst_first
from core.quality.review_item import REVIEW_FILE
from core.report.page import (
    FAILED,
    LOOK_FIRST,
    Bar,
    Page,
    Picture,
    Section,
    Table,
    facts_table,
    note_presence,
    warnings_of,
    write_run_page,
)
from core.report.run_facts import RunFacts, run_sections
from core.text import clock
from core.tracking.render_item import drawn_objects
from core.video.source import open_video

_MOST_PICTURED, _MOST_ROWS, _MOST_BARS, _MOST_SUSPICIOUS = 24, 30_000, 40, 8


class TrackedVideo(BaseModel):
    """A tracked video: its name for people, its file, the folder of its tracks, and that of its review, if any.

    `drawn`: what was drawn of it, by what it is, as paths relative to the page.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    video: Path
    tracks: Path
    review: Path | None = None
    drawn: dict[str, str] = Field(default_factory=dict)


class ReportRequest(BaseModel):
    """What the page shows: `failures`, `problems` (of prompts) and `facts`: names and what there is to say of them;
    `files`: what else the run made, relative to the page."""

    model_config = ConfigDict(frozen=True)
    title: str
    videos: list[TrackedVideo]
    failures: list[tuple[str, str]]
    problems: list[tuple[str, str]] = Field(default_factory=list)
    files: list[tuple[str, str]] = Field(default_factory=list)
    facts: list[tuple[str, str]]
    run: RunFacts = Field(default_factory=RunFacts)


class _VideoSummary:
    """One pass over a video's tracks: when each object was there, and the frame with the most of them."""

    def __init__(self, tracks: Path) -> None:
        self.head: VideoHead = read_head(tracks)
        self.frames = 0
        self.stretches: dict[int, list[tuple[float, float]]] = {}
        self.labels: dict[int, str] = {}
        self.fullest: FrameRecord | None = None
        self._first_s = self._last_s = 0.0
        source_s = self.head.total_frames / self.head.original_fps
        for record in read_frames(tracks):
            self._last_s = record.time_s
            if self.frames == 0:
                self._first_s = record.time_s
            self.frames += 1
            most = 0 if self.fullest is None else len(self.fullest.objects)
            if len(record.objects) > most or (0 < len(record.objects) == most and 2 * record.time_s <= source_s):
                self.fullest = record  # of those alike the one in the middle
            for one in record.objects:
                self.labels.setdefault(one.obj_id, one.label or "")
                stretches = self.stretches.setdefault(one.obj_id, [])
                note_presence(stretches, record.time_s - self._first_s, 1 / self.head.process_fps)

    @property
    def duration_s(self) -> float:
        """Length of what was processed: of a part of the video, where only that was."""
        return self._last_s - self._first_s + 1 / self.head.process_fps

    def bars(self) -> Iterator[Bar]:
        """A row for the shots, where there are several, and for each object one, by its number."""
        if len(self.head.shots) > 1:
            cuts = [shot.first_s - self._first_s for shot in self.head.shots[1:]]
            yield Bar(0, f"{len(self.head.shots)} shots", [(0.0, self.duration_s)], cuts)
        for obj_id in sorted(self.stretches)[:_MOST_BARS]:
            yield Bar(obj_id, f"{obj_id} {self.labels[obj_id]}".strip(), self.stretches[obj_id])


@item(ReportRequest)
def report_tracked(request: ReportRequest, folder: Path, report: Progress) -> Record:
    """Write `report.html`: a picture of each video, when its objects were there; a table of all; what failed.

    Returns:
        the number of videos and of objects.
    """
    pictures, sections, rows, objects, length_s = [], [], [], 0, 0.0
    for number, video in enumerate(request.videos, 1):
        seen = _VideoSummary(video.tracks)
        objects += len(seen.stretches)
        length_s += seen.duration_s
        size = f"{seen.head.width} x {seen.head.height}"
        rows.append((video.name, size, clock(seen.duration_s), f"{seen.frames:,}", f"{len(seen.stretches):,}"))
        if number <= _MOST_PICTURED:
            drawn = _draw(video, seen)
            pictures += drawn
            note = "" if drawn else "no picture: the video cannot be read" if seen.fullest else "nothing was found"
            sections.append(_about(video, note, seen))
        report(number, len(request.videos))
    figures = [("videos", f"{len(rows):,}"), ("objects", f"{objects:,}"), ("of video", clock(length_s))]
    if pictures:
        sections.insert(0, Section("A frame of each video", pictures=pictures))
    sections.append(_suspicious(request.videos))
    if request.files:
        sections.append(Section("Files", links=request.files, rank=LOOK_FIRST))
    if request.problems:
        table = Table(("video", "prompt"), request.problems[:_MOST_ROWS])
        sections.append(Section("Prompts that were not used, or are odd", table=table, rank=FAILED))
    if request.failures:
        figures.append(("failed", f"{len(request.failures):,}"))
        table = Table(("video", "why"), request.failures[:_MOST_ROWS])
        sections.insert(0, Section("Failed", table=table, rank=FAILED))
    more = f"and {len(rows) - _MOST_ROWS:,} more" if len(rows) > _MOST_ROWS else ""
    table = Table(("video", "size", "length", "frames", "objects"), rows[:_MOST_ROWS])
    sections += [
        Section("All videos", more, table=table),
        Section("Models", table=facts_table(request.facts)),
        *run_sections(request.run),
    ]
    write_run_page(folder, Page(request.title, figures, sections, warnings_of(request.facts)))
    return {"videos": len(rows), "objects": objects}


def _about(video: TrackedVideo, note: str, seen: _VideoSummary) -> Section:
    """The part about one video: what was drawn of it, and when its objects were there."""
    return Section(
        video.name,
        note,
        links=[(word.replace("_", " "), path) for word, path in video.drawn.items()],
        video=video.drawn.get("annotated_video", ""),
        timeline=list(seen.bars()),
        duration_s=seen.duration_s,
    )


def _suspicious(videos: Sequence[TrackedVideo]) -> Section:
    """What a person should look at first, of all videos."""
    reviewed = [video for video in videos if video.review is not None]
    entries = worst_first(e for video in reviewed for e in read_review((video.review or Path()) / REVIEW_FILE))
    known = {video.name: (tracked_video(video.tracks, video.name), video.video) for video in reviewed}
    try:
        pictures = draw_entries(entries, known, _MOST_SUSPICIOUS)
    except (BadMedia, OSError, ValueError, StopIteration):  # a file may have changed since
        pictures = []
    return review_section(entries, pictures, with_video=len(videos) > 1)


def _draw(video: TrackedVideo, seen: _VideoSummary) -> list[Picture]:
    """The frame with the most objects; nothing where there is none, or the video cannot be read any more."""
    record = seen.fullest
    if record is None:
        return []
    try:
        with open_video(video.video) as source:
            index = source.index()
        with open_video(video.video) as source:
            (frame,) = source.frames_at(index, [record.source_frame])
    except (BadMedia, OSError, ValueError):  # the file may have changed since
        return []
    count = f"{len(record.objects)} object{'s' if len(record.objects) > 1 else ''}"
    caption = f"{video.name}: frame {record.source_frame}, {clock(record.time_s)}: {count}"
    return [Picture(draw_objects(frame.image, drawn_objects(record)), caption)]
