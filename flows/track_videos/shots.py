"""Each shot a video of its own: written first, then tracked in the place of its video."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.addresses.remote import AddressError
from core.formats.corrections import corrections_by_video
from core.store.paths import inside
from core.video.sampling import WHOLE
from core.video.video_paths import path_parts, short_names
from flows.track_videos.plan import Plan
from tasks.inputs import Content, source_of
from tasks.items import Item, Outcome, Stage
from tasks.reporting.delivery import Deliveries, deliverable
from tasks.running import ItemRun, run_items

FOLDER = "shots"
_TABLE = "shots.csv"


def _describe(shots: int) -> str:
    return f"{shots} shots" if shots else "one shot: it stays as it is"


SPLIT = Stage("split", "core.video.split_item:split_video", lambda done: [_describe(len(done["shots"]))])


@dataclass(frozen=True)
class _Shot:
    """A shot: its file, where people find that, and where in its video it begins."""

    video: str
    file: Path
    place: Path
    first_frame: int
    first_s: float

    @property
    def path(self) -> str:
        """In its place; where the run is only planned, it may not be there yet."""
        return str(self.place if self.place.is_file() else self.file)


def split_into_shots(run: ItemRun, plan: Plan, corrections: Path | None) -> tuple[Plan, dict[str, str]]:
    """The plan with shots in the place of videos, and why videos could not be split.

    Shots are files in the folder `shots` beside the results. A video of one shot stays as it is.
    """
    items = _items(plan)
    made = run_items(run, SPLIT, list(items.values()), inputs=Content(run.store, "video"))
    outcomes = dict(zip(items, made, strict=True))
    shots = {video: _shots(plan, video, one) for video, one in outcomes.items()}
    if run.plan is None:
        _deliver(run, plan, [shot for several in shots.values() for shot in several])
    videos = [path for video in plan.videos for path in [one.path for one in shots.get(video, ())] or [video]]
    names = dict(zip(videos, short_names([path_parts(video) for video in videos]), strict=True))
    corrected = {} if corrections is None else corrections_by_video(corrections, {video: video for video in videos})[0]
    failures = {video: one.reason for video, one in outcomes.items() if one.reason is not None}
    return replace(plan, videos=videos, names=names, corrections=corrected, part=WHOLE), failures


def _items(plan: Plan) -> dict[str, Item]:
    """By video, of those that are there."""
    items, part = {}, {"start_s": plan.part.start_s, "end_s": plan.part.end_s}
    for video in plan.videos:
        try:
            source, size = source_of(video)
        except (OSError, ValueError, RuntimeError, AddressError):
            continue
        items[video] = Item(f"{video} (shots)", {"part": part}, {"video": source, "part": part}, float(size))
    return items


def _shots(plan: Plan, video: str, made: Outcome) -> list[_Shot]:
    found = [] if made.record is None else made.record["shots"]
    folder, name = plan.results.parent, plan.names[video]
    return [
        _Shot(
            video,
            made.folder / one["file"],
            inside(folder, FOLDER, f"{name}_{one['file']}"),
            one["first_frame"],
            one["first_s"],
        )
        for one in found
    ]


def _deliver(run: ItemRun, plan: Plan, shots: Sequence[_Shot]) -> None:
    """Put shots where people find them, with a table of where they come from."""
    folder = plan.results.parent
    deliveries = Deliveries(folder, FOLDER, run.store.digests)
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("file", "video", "first_frame", "first_s"))
    with deliverable(folder / FOLDER):
        for shot in shots:
            deliveries.add(shot.file, FOLDER, shot.place.name)
            rows.writerow((shot.place.name, shot.video, shot.first_frame, shot.first_s))
        if shots:
            deliveries.text(table.getvalue(), f"{FOLDER}/{_TABLE}")
        deliveries.finish()
