"""Annotated videos and recordings: drawn from what was tracked, delivered where they were requested."""

from collections.abc import Sequence
from dataclasses import asdict

from core.errors import RefusedInput
from core.masks.draw import Style
from core.tracking.render_item import RECORDING_FILE, VIDEO_FILE
from flows.track_videos.items import source_again
from flows.track_videos.plan import Plan
from flows.track_videos.results import run_about
from tasks.items import Item, Outcome, Stage
from tasks.reporting.delivery import deliver, undelivered
from tasks.running import ItemRun
from tasks.store import RunStore

RENDER = Stage(
    "render",
    "core.tracking.render_item:render_video",
    lambda done: [f"{done['frames']} frames drawn in {done['seconds']:.2f}s"],
)


def render(run: ItemRun, plan: Plan, tracked: Sequence[Outcome], style: Style) -> list[Outcome]:
    """Draw what was tracked, where pictures were requested."""
    wanted = {"annotated_video": plan.video_dir is not None, "recording": plan.recording_dir is not None}
    if not any(wanted.values()):
        return []
    items = []
    for outcome in tracked:
        if outcome.record is None:
            continue
        request = outcome.item.request
        source = {
            "video": source_again(outcome),
            "fps": request["fps"],
            "also": [one["frame"] for one in request["prompts"]],
            "part": request["part"],
        }
        what = {**wanted, "style": asdict(style) if wanted["annotated_video"] else asdict(Style())}
        request = {**source, "tracks": str(outcome.folder), "key": outcome.key, **what}
        items.append(Item(outcome.item.name, {"tracks": outcome.key, **what}, request, outcome.item.cost))
    return run_about(run, RENDER, items, "drawing", tracked)


def deliver_rendered(plan: Plan, store: RunStore, rendered: Sequence[Outcome]) -> dict[str, str]:
    """Put annotated videos and recordings where they belong; the reason for each video of which one could not be."""
    failures = {}
    for outcome in rendered:
        video = outcome.item.name
        for made, place in ((VIDEO_FILE, plan.annotated_video(video)), (RECORDING_FILE, plan.recording(video))):
            if place is None:
                continue
            try:
                if outcome.record is None:
                    place.unlink(missing_ok=True)  # that of an earlier run would not be true
                else:
                    deliver(outcome.folder / made, place, store.digests)
            except (OSError, RefusedInput) as error:
                failures[video] = undelivered(error)
    return failures
