"""Each shot a video of its own: written first, then tracked in the place of its video."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
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
SPLIT = Stage("split", "core.video.split_item:split_video", lambda done: [f"{len(done['files']) or 1} shots"])


def split_into_shots(run: ItemRun, plan: Plan, corrections: Path | None) -> Plan:
    """The plan with shots in the place of videos: files in the folder `shots` beside the results.

    A video of one shot stays as it is; so does one that cannot be split: tracking it says why.
    """
    made = {one.item.name: one for one in run_items(run, SPLIT, _items(plan), inputs=Content(run.store, "video"))}
    shots = {video: _places(plan, video, one) for video, one in made.items()}
    if run.plan is None:
        _deliver(run, plan, chain.from_iterable(shots.values()))
    videos = [
        path
        for video in plan.videos
        # Where the run is only planned, they may not be in their place yet.
        for path in [str(place if place.is_file() else file) for file, place in shots.get(video, ())] or [video]
    ]
    names = dict(zip(videos, short_names([path_parts(video) for video in videos]), strict=True))
    corrected = {} if corrections is None else corrections_by_video(corrections, {video: video for video in videos})[0]
    return replace(plan, videos=videos, names=names, corrections=corrected, part=WHOLE)


def _items(plan: Plan) -> list[Item]:
    items, part = [], {"start_s": plan.part.start_s, "end_s": plan.part.end_s}
    for video in plan.videos:
        try:
            source, size = source_of(video)
        except (OSError, ValueError, RuntimeError, AddressError):
            continue
        items.append(Item(video, {"part": part}, {"video": source, "part": part}, float(size)))
    return items


def _places(plan: Plan, video: str, made: Outcome) -> list[tuple[Path, Path]]:
    """Each shot of a video: the file, and where people find it."""
    folder = plan.results.parent
    files = [] if made.record is None else made.record["files"]
    return [(made.folder / file, inside(folder, FOLDER, f"{plan.names[video]}_{file}")) for file in files]


def _deliver(run: ItemRun, plan: Plan, shots: Iterable[tuple[Path, Path]]) -> None:
    folder = plan.results.parent
    deliveries = Deliveries(folder, FOLDER, run.store.digests)
    with deliverable(folder / FOLDER):
        for file, place in shots:
            deliveries.add(file, FOLDER, place.name)
        deliveries.finish()
