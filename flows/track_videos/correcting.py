"""What a person corrected, on top of what was tracked: only what changed is tracked again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from core.formats.tracks import read_head, read_moments
from core.models.spec import ModelSpec
from flows.correcting import Correctable, Retracking, failure_of, planned, retracked, track_again, unanswered
from flows.track_videos.items import source_again
from flows.track_videos.plan import Plan
from tasks.items import Item, Outcome, Stage
from tasks.running import ItemRun, run_items

CORRECT = Stage("correct", "core.corrections.correct_item:correct_tracks", lambda _: [])


def correct(run: ItemRun, plan: Plan, tracked: Sequence[Outcome], segmenter: ModelSpec) -> list[Outcome]:
    """The tracked videos, those with corrections as they are with them; problems of corrections are in the records."""
    changed = {
        place: planned(run.store, _correctable(outcome), corrections, segmenter)
        for place, outcome in enumerate(tracked)
        if outcome.record is not None and (corrections := plan.corrections.get(outcome.item.name)) is not None
    }
    if not changed:
        return list(tracked)
    made = track_again(run, list(changed.values()))
    failed = {place: failure_of(one, made) for place, one in changed.items()}
    whole = [place for place in changed if failed[place] is None]
    done = run_items(run, CORRECT, [_item(tracked[place], changed[place], made) for place in whole])
    corrected = dict(zip(whole, done, strict=True))
    return [
        _outcome(one, changed[place], made, corrected.get(place), failed[place]) if place in changed else one
        for place, one in enumerate(tracked)
    ]


def _correctable(tracked: Outcome) -> Correctable:
    moments = np.array(list(read_moments(tracked.folder)), np.float64).reshape(-1, 2)
    summary = (tracked.record or {})["summary"]
    head = read_head(tracked.folder)
    firsts = [(one["obj_id"], one["first_frame"]) for one in summary]
    prompts = [(one["obj_id"], one["frame"]) for one in tracked.item.request["prompts"] if not one["gone"]]
    return Correctable(
        name=tracked.item.name,
        path=source_again(tracked),
        content=tracked.item.inputs["video"],
        size=(head.width, head.height),
        length=head.total_frames,
        frames=moments[:, 0].astype(np.int64),
        times_s=moments[:, 1],
        labels={one["obj_id"]: one["label"] for one in summary},
        starts=sorted({*firsts, *prompts}),
        both_ways=False,
        max_side=None,
        cost=tracked.item.cost,
    )


def _item(tracked: Outcome, one: Retracking, made: Mapping[int, Outcome]) -> Item:
    again, keys = retracked(one, made)
    what = {"corrections": one.corrections.model_dump(mode="json", by_alias=True), "labels": one.video.labels}
    request = {"tracks": str(tracked.folder), "retracked": again, **what}
    return Item(
        f"{one.video.name} (corrections)", {"tracks": tracked.key, "retracked": keys, **what}, request, one.video.cost
    )


def _outcome(
    tracked: Outcome, one: Retracking, made: Mapping[int, Outcome], corrected: Outcome | None, failure: str | None
) -> Outcome:
    """The tracked video's outcome, with the folder and the figures of the corrected one."""
    if corrected is None or corrected.record is None:
        reason = failure if corrected is None else corrected.reason
        return replace(tracked, record=None, reason=reason or "failed")
    before = tracked.record or {}
    said = [*one.problems, *unanswered(one, made)]
    problems = [*before["problems"], *(problem.model_dump() for problem in said)]
    record = {**before, **corrected.record, "seconds": before["seconds"], "problems": problems}
    return replace(corrected, item=tracked.item, record=record)
