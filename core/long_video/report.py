"""The page about one video's annotations."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from core.formats.links_jsonl import Link
from core.formats.review_jsonl import ReviewEntry
from core.long_video.timeline import Timeline
from core.quality.pictures import review_section
from core.report.page import (
    FAILED,
    LOOK_FIRST,
    Bar,
    Page,
    Picture,
    Section,
    Table,
    facts_table,
    warnings_of,
    write_run_page,
)
from core.report.run_facts import RunFacts, run_sections
from core.text import clock

_MOST_ROWS = 200


class WindowFigures(BaseModel):
    """One followed window, for the report; memory in MiB as `PeakMemory.record` gives it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    frames: int
    objects: int
    seconds: float
    memory: dict[str, float | None]


class ReportRequest(BaseModel):
    """What the report shows beside the results.

    Attributes:
        title: what was annotated.
        duration_s: length of the video.
        facts: settings and models, name and value.
        windows: in the order in which they were followed.
        problems: annotations that could not be used: where, and why.
        stationary: objects that never move; None without a scene graph.
        files: what else is made of the video, by what it is, relative to the page.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    title: str
    duration_s: float
    facts: list[tuple[str, str]] = Field(default_factory=list)
    run: RunFacts = Field(default_factory=RunFacts)
    windows: list[WindowFigures] = Field(default_factory=list)
    problems: list[tuple[str, str]] = Field(default_factory=list)
    stationary: list[str] | None = None
    files: dict[str, str] = Field(default_factory=dict)


def write_report(
    folder: Path,
    request: ReportRequest,
    counts: Mapping[str, Any],
    timeline: Timeline,
    links: Sequence[Link],
    doubtful: Sequence[ReviewEntry],
    pictures: Sequence[Picture],
    first: Sequence[Picture] = (),
) -> None:
    """Write the page.

    Args:
        folder: where the page goes.
        request: what was requested and how it went.
        counts: frames, objects, boxes, links, ambiguous, hold_out.
        timeline: of all objects.
        links: of all objects.
        doubtful: what a person should look at, the most suspicious first.
        pictures: annotated frames.
        first: the most suspicious of what is doubtful.
    """
    video = request.files.get("annotated video", "")
    sections = [
        Section("Files", links=[*request.files.items()], video=video, rank=LOOK_FIRST),
        Section("Annotated frames", pictures=pictures),
        review_section(doubtful, first, with_video=False),
        _objects(request, timeline),
        _doubtful(links),
        *_problems(request),
        _windows(request.windows),
        Section("How it was annotated", table=facts_table(request.facts)),
    ]
    if request.stationary is not None:
        note = ", ".join(request.stationary) or "none"
        sections.append(Section("Objects that never move, by the scene graph", note=note))
    sections += run_sections(request.run)
    write_run_page(folder, Page(request.title, _figures(request, counts), sections, warnings_of(request.facts)))


def _problems(request: ReportRequest) -> list[Section]:
    if not request.problems:
        return []
    rows = request.problems[:_MOST_ROWS]
    more = len(request.problems) - len(rows)
    note = f"and {more} more, in the problems file" if more else ""
    return [Section("Annotations that could not be used", note, table=Table(("where", "why"), rows), rank=FAILED)]


def _figures(request: ReportRequest, counts: Mapping[str, Any]) -> list[tuple[str, str]]:
    peaks = [one.memory.get("host_peak_mib") or 0.0 for one in request.windows]
    figures = [
        ("of video", clock(request.duration_s)),
        ("objects", f"{counts['objects']:,}"),
        ("annotated frames", f"{counts['frames']:,}"),
        ("boxes", f"{counts['boxes']:,}"),
        ("doubtful links", f"{counts['ambiguous']:,} of {counts['links']:,}"),
        ("peak memory of a worker", f"{max(peaks, default=0):.0f} MiB"),
    ]
    if request.problems:
        figures.append(("problems with annotations", f"{len(request.problems):,}"))
    held = counts.get("hold_out")
    if held is not None:
        figures.append((f"mean IoU at {held['annotations']} held-out annotations", f"{held['mean_iou']:.3f}"))
    return figures


def _objects(request: ReportRequest, timeline: Timeline) -> Section:
    bars = [
        Bar(presence.number, f"{presence.name} · {assoc_id}", presence.stretches, presence.prompts_s)
        for assoc_id, presence in sorted(timeline.objects.items(), key=lambda item: (item[1].stretches[:1], item[0]))
    ]
    note = "Coloured where an object is annotated; ticks are the annotations or detections it goes back to."
    return Section("Objects over time", note, timeline=bars, duration_s=request.duration_s)


def _doubtful(links: Sequence[Link]) -> Section:
    doubtful = sorted((link for link in links if link.ambiguous), key=lambda link: link.score)
    rows = [
        (
            f"{link.assoc_name} · {link.assoc_id}",
            link.kind,
            f"{link.from_frame} – {link.to_frame}",
            f"{link.score:.2f}",
            "" if link.rival is None else f"{link.rival.assoc_id}: {link.rival.score:.2f}",
        )
        for link in doubtful[:_MOST_ROWS]
    ]
    note = "Identities a person should look at, the least certain first; all of them are in the links file."
    if not rows:
        return Section("Doubtful links", note="None.")
    return Section("Doubtful links", note, table=Table(("object", "kind", "frames", "score", "rival"), rows))


def _windows(windows: Sequence[WindowFigures]) -> Section:
    heads = ("window", "frames", "objects", "seconds", "frames/s", "MiB before", "MiB at most", "GPU MiB")
    rows = []
    for one in windows:
        gpu = one.memory.get("gpu_peak_mib")
        memory = [f"{one.memory.get(name) or 0:.0f}" for name in ("host_before_mib", "host_peak_mib")]
        speed = f"{one.frames / max(one.seconds, 1e-9):.1f}"
        figures = (str(one.frames), str(one.objects), f"{one.seconds:.1f}", speed)
        rows.append((one.name, *figures, *memory, "" if gpu is None else f"{gpu:.0f}"))
    return Section("Windows: speed and memory", "Memory is the worker process's.", table=Table(heads, rows))
