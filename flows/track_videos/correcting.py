"""What a person corrected, on top of what was tracked: only what changed is tracked again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.corrections.anchors import Anchor, Frames, Reach, anchors_of, in_accepted, reaches
from core.corrections.correct_item import spans_of
from core.corrections.stretches import Direction, stretches
from core.formats.corrections import CorrectionPrompt, VideoCorrections
from core.formats.prompt_fit import doubt, misfit
from core.formats.tracks import VideoHead, read_head, read_moments
from core.models.spec import ModelSpec
from core.tracking.prompt_check import PromptProblem, beyond
from flows.track_videos.plan import Plan
from tasks.items import Item, Outcome, Stage, item_key
from tasks.running import ItemRun, run_items

RETRACK = Stage(
    "retrack",
    "core.corrections.retrack_item:retrack",
    lambda done: [f"{done['frames']} frames in {done['seconds']:.2f}s"],
)
CORRECT = Stage("correct", "core.corrections.correct_item:correct_tracks", lambda _: [])


@dataclass(frozen=True, eq=False)
class _Corrected:
    """A tracked video with corrections: what of them can be used, and the items that track again from each anchor."""

    tracked: Outcome
    corrections: VideoCorrections
    frames: Frames
    reaches: list[Reach]
    chains: dict[Anchor, list[Item]]


def correct(run: ItemRun, plan: Plan, tracked: Sequence[Outcome], segmenter: ModelSpec) -> list[Outcome]:
    """The tracked videos, those with corrections as they are with them; problems of corrections are in the records."""
    if not plan.corrections:
        return list(tracked)
    changed: dict[int, _Corrected] = {}
    found: dict[int, list[PromptProblem]] = {}
    for place, outcome in enumerate(tracked):
        corrections = plan.corrections.get(outcome.item.name)
        if corrections is not None and outcome.record is not None:
            changed[place], found[place] = _planned(run, outcome, corrections, segmenter)
    items = [item for one in changed.values() for chain in one.chains.values() for item in chain]
    made = {id(one): outcome for one, outcome in zip(items, run_items(run, RETRACK, items), strict=True)}
    failed = {place: _failure(one, made) for place, one in changed.items()}
    whole = [place for place in changed if failed[place] is None]
    done = run_items(run, CORRECT, [_correct_item(changed[place], made) for place in whole])
    by_place = dict(zip(whole, done, strict=True))
    return [
        _outcome(one, changed[place], by_place.get(place), failed[place], found[place]) if place in changed else one
        for place, one in enumerate(tracked)
    ]


def _planned(
    run: ItemRun, tracked: Outcome, corrections: VideoCorrections, segmenter: ModelSpec
) -> tuple[_Corrected, list[PromptProblem]]:
    moments = np.array(list(read_moments(tracked.folder)), np.float64).reshape(-1, 2)
    frames, times_s = moments[:, 0].astype(np.int64), moments[:, 1]
    usable, problems = _usable(corrections, tracked, read_head(tracked.folder))
    reached = reaches(frames, usable, anchors_of(usable, _known(tracked)))
    owned: dict[Anchor, list[Frames]] = {}
    for one in reached:
        owned.setdefault(one.anchor, []).append(one.owned)
    chains = {
        anchor: _chain(run, tracked, anchor, np.concatenate(parts), (frames, times_s), segmenter)
        for anchor, parts in owned.items()
    }
    return _Corrected(tracked, usable, frames, reached, chains), problems


def _usable(
    corrections: VideoCorrections, tracked: Outcome, head: VideoHead
) -> tuple[VideoCorrections, list[PromptProblem]]:
    """The corrections that can be used, and what there is to say of the others, and of those that are odd."""
    prompts, problems = [], []
    for one in corrections.prompts:
        wrong = misfit(one, head.width, head.height)
        if one.frame >= head.total_frames:
            wrong = beyond(head.total_frames)
        elif in_accepted(one, corrections):
            wrong = "the frame is accepted, and is not changed: take that back first"
        odd = wrong or doubt(one, head.width, head.height)
        if odd is not None:
            label = f" ({one.label})" if one.label else ""
            problems.append(
                PromptProblem(where=f"correction of object {one.obj_id}{label}, frame {one.frame}", what=odd)
            )
        if wrong is None:
            prompts.append(one)
    usable = corrections.model_copy(update={"prompts": prompts})
    known = {one["obj_id"] for one in (tracked.record or {})["summary"]}
    there = known | {one.becomes for one in corrections.ids} | {one.obj_id for one in prompts}
    named = [("ids", one.obj_id, known) for one in corrections.ids]
    named += [("absent", one.obj_id, there) for one in corrections.absent]
    named += [("labels", obj_id, there) for obj_id in corrections.labels]
    named += [("accepted", one.obj_id, there) for one in corrections.accepted if one.obj_id is not None]
    for entry, obj_id, among in named:
        if obj_id not in among:
            objects = ", ".join(map(str, sorted(among)[:20])) or "none"
            what = f"there is no such object in these results (there are {objects})"
            problems.append(PromptProblem(where=f"corrections, {entry}, object {obj_id}", what=what))
    return usable, problems


def _known(tracked: Outcome) -> list[tuple[int, int]]:
    """Ids and frames from which objects were tracked before: their first sight, and prompts that they were given."""
    firsts = [(one["obj_id"], one["first_frame"]) for one in (tracked.record or {})["summary"]]
    prompts = [(one["obj_id"], one["frame"]) for one in tracked.item.request["prompts"] if not one["gone"]]
    return sorted({*firsts, *prompts})


def _chain(
    run: ItemRun,
    tracked: Outcome,
    anchor: Anchor,
    owned: Frames,
    moments: "tuple[Frames, np.ndarray[Any, Any]]",
    segmenter: ModelSpec,
) -> list[Item]:
    """The items that track an object again from a prompt, forward and backward, each going on from that before."""
    assert anchor.prompt is not None
    directions: tuple[Direction, ...] = ("forward", "backward")
    return [
        item
        for direction in directions
        for item in _one_way(
            run, tracked, anchor.prompt, direction, stretches(anchor.frame, owned, direction, *moments), segmenter
        )
    ]


def _one_way(
    run: ItemRun,
    tracked: Outcome,
    prompt: CorrectionPrompt,
    direction: Direction,
    parts: Sequence[list[int]],
    segmenter: ModelSpec,
) -> list[Item]:
    items: list[Item] = []
    shown = prompt.model_dump(mode="json", exclude={"round", "label"})
    for part in parts:
        before = items[-1] if items else None
        key = None if before is None else item_key(RETRACK, before)
        what = {"prompt": shown, "direction": direction, "frames": part}
        # The content of the video stands in the inputs of what was tracked before.
        inputs = {"video": tracked.item.inputs["video"], **what, "segmenter": segmenter.key, "before": key}
        folder = None if key is None else str(run.store.item_folder(RETRACK.task_name, key))
        request = {
            "video": tracked.item.request["video"], **what, "before": folder,
            "segmenter": segmenter.model_dump(mode="json"),
        }  # fmt: skip
        begins = part[0] if direction == "forward" else part[-1]
        name = f"{tracked.item.name} (object {prompt.obj_id} {direction} from frame {begins})"
        items.append(Item(name, inputs, request, tracked.item.cost * len(part), before))
    return items


def _failure(one: _Corrected, made: Mapping[int, Outcome]) -> str | None:
    outcomes = (made[id(item)] for chain in one.chains.values() for item in chain)
    failed = next((outcome for outcome in outcomes if outcome.reason is not None), None)
    return None if failed is None else f"a correction could not be tracked ({failed.item.name}): {failed.reason}"


def _correct_item(one: _Corrected, made: Mapping[int, Outcome]) -> Item:
    frames = one.frames.tolist()
    retracked, keys = [], []
    for reach in one.reaches:
        owned = [span.model_dump(mode="json") for span in spans_of(frames, reach.owned.tolist())]
        outcomes = [made[id(item)] for item in one.chains[reach.anchor]]
        parts = [
            {"folder": str(o.folder), "first": o.item.request["frames"][0], "last": o.item.request["frames"][-1]}
            for o in outcomes
        ]
        retracked.append({"obj_id": reach.obj_id, "owned": owned, "stretches": parts})
        keys.append([reach.obj_id, owned, [outcome.key for outcome in outcomes]])
    labels = {one["obj_id"]: one["label"] for one in (one.tracked.record or {})["summary"]}
    what = {"corrections": one.corrections.model_dump(mode="json", by_alias=True), "labels": labels}
    request = {"tracks": str(one.tracked.folder), "retracked": retracked, **what}
    inputs = {"tracks": one.tracked.key, "retracked": keys, **what}
    return Item(f"{one.tracked.item.name} (corrections)", inputs, request, one.tracked.item.cost)


def _outcome(
    tracked: Outcome,
    one: _Corrected,
    corrected: Outcome | None,
    failure: str | None,
    problems: Sequence[PromptProblem],
) -> Outcome:
    """The tracked video's outcome, with the folder and the figures of the corrected one."""
    if corrected is None or corrected.record is None:
        return replace(tracked, record=None, reason=failure or (corrected and corrected.reason) or "failed")
    before = tracked.record or {}
    again = sum(len(item.request["frames"]) for chain in one.chains.values() for item in chain)
    record = {
        **before, **corrected.record, "seconds": before["seconds"], "retracked": again,
        "problems": [*before["problems"], *(problem.model_dump() for problem in problems)],
    }  # fmt: skip
    return replace(corrected, item=tracked.item, record=record)
