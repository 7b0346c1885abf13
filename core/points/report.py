"""The page about tracked points: pictures of each instance, how much of it stays visible, what splitting changed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.formats.tracked_npz import read_tracked
from core.points.pictures import draw_instance
from core.points.settings import TRACKED_FILE, ReportedInstance, ReportRequest
from core.points.wording import distances, kept, splitting
from core.report.page import FAILED, LOOK_FIRST, Page, Picture, Section, Table, write_run_page
from core.report.plot import Plot, Series
from core.report.run_facts import run_sections
from core.rgbd.clip import ClipView

_MOST_ROWS, _MOST_PICTURED, _MOST_DOUBTFUL = 200, 12, 3
_ABOUT_FIRST = "Instances of whose points the fewest stay visible, on the last frame that is pictured below."
_ABOUT = (
    "visible: share of the positions, from each point's own frame on, at which it is seen. motion: median and 90th "
    "percentile of how far points get from where they were first. splitting: how far support points, tracked in every "
    "batch, are from their mean over the batches (median, 90th percentile)."
)


def write_report(folder: Path, request: ReportRequest, view: ClipView) -> None:
    """Write the page about what was tracked in a clip into a folder."""
    instances = request.instances
    sections = [Section("Instances", _ABOUT, table=_table(instances))]
    if request.failures:
        sections.append(
            Section("What failed", table=Table(("what", "why"), request.failures[:_MOST_ROWS]), rank=FAILED)
        )
    sections.append(Section("Visible over time", plots=[_visibility(view, instances)]))
    pictures = {
        one.name: draw_instance(view, read_tracked(one.merged / TRACKED_FILE)) for one in instances[:_MOST_PICTURED]
    }
    sections += [Section(one.name, _dropped(one.queries), pictures=pictures.get(one.name, ())) for one in instances]
    sections.append(_look_first(instances, pictures))
    sections.append(Section("How they were tracked", table=Table(("", ""), request.facts)))
    sections += run_sections(request.run)
    figures = [
        ("instances", f"{len(instances)}"),
        ("points", f"{sum(one.queries['points'] for one in instances):,}"),
        ("frames", f"{view.frames}"),
        ("cameras", f"{view.cameras}"),
    ]
    write_run_page(folder, Page(request.title, figures, sections))


def _look_first(instances: Sequence[ReportedInstance], pictures: Mapping[str, Sequence[Picture]]) -> Section:
    """The instances of whose points the fewest stay visible: those that were lost most likely."""
    worst = sorted(instances, key=lambda one: one.figures["visible"])[:_MOST_DOUBTFUL]
    rows = [(one.name, f"{one.figures['visible']:.0%}", distances(one.figures["motion_m"])) for one in worst]
    table = Table(("instance", "visible", "motion"), rows) if rows else None
    first = [picture for one in worst for picture in list(pictures.get(one.name, ()))[-1:]]
    return Section("Look at these first", _ABOUT_FIRST, pictures=first, table=table, rank=LOOK_FIRST)


def _table(instances: Sequence[ReportedInstance]) -> Table:
    heads = ("instance", "points", "batches", "visible", "motion", "kept", "splitting")
    rows = [
        (
            one.name,
            f"{one.queries['points']:,}",
            f"{len(one.queries['sizes'])}",
            f"{one.figures['visible']:.0%}",
            distances(one.figures["motion_m"]),
            kept(one.figures),
            splitting(one.figures, len(one.queries["sizes"])),
        )
        for one in instances
    ]
    return Table(heads, rows[:_MOST_ROWS])


def _dropped(queries: dict[str, Any]) -> str:
    pixels = queries["dropped"].get("pixels", 0)
    left_out = [f"{n:,} {why}" for why, n in queries["dropped"].items() if why != "pixels" and n]
    return f"left out of {pixels:,} mask pixels: {', '.join(left_out)}" if left_out else ""


def _visibility(view: ClipView, instances: Sequence[ReportedInstance]) -> Plot:
    series = []
    for number, one in enumerate(instances, 1):
        shares = one.figures["visible_by_frame"]
        known = [(int(f), 100 * s) for f, s in zip(view.source_frames, shares, strict=True) if s is not None]
        series.append(Series(one.name, number, np.array(known, float).reshape(-1, 2), line=True))
    return Plot("share of each instance's points that are visible", series, "frame", "%")
