"""What flows share of corrections: which of them can be used, and the items that track again for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.corrections.anchors import Frames, Reach, in_accepted, reaches
from core.corrections.stretches import Direction, stretches
from core.formats.corrections import CorrectionPrompt, VideoCorrections, spans_of
from core.formats.prompt_fit import doubt, misfit
from core.models.spec import ModelSpec
from core.tracking.prompt_check import PromptProblem, beyond
from tasks.inputs import Files
from tasks.items import Item, Outcome, Stage, item_key
from tasks.running import ItemRun, run_items
from tasks.store import RunStore

RETRACK = Stage(
    "retrack",
    "core.corrections.retrack_item:retrack",
    lambda done: [f"{done['frames']} frames in {done['seconds']:.2f}s"],
)


@dataclass(frozen=True, eq=False)
class Correctable:
    """A video with results, before corrections.

    Attributes:
        name: for people.
        path: the file.
        content: its digest.
        size: width and height in pixels.
        length: frames of the source.
        frames: those that are in the results, ascending; `times_s`: when each is shown.
        labels: of its objects, by id.
        starts: id and source frame from which objects were tracked; `both_ways`: backward, too.
        max_side: at which frames are processed; None: as they are.
        cost: of one frame, in the unit of the flow's items.
    """

    name: str
    path: str
    content: str
    size: tuple[int, int]
    length: int
    frames: Frames
    times_s: npt.NDArray[np.float64]
    labels: Mapping[int, str | None]
    starts: Sequence[tuple[int, int]]
    both_ways: bool
    max_side: int | None
    cost: float


@dataclass(frozen=True, eq=False)
class Retracking:
    """What corrections come to: those that can be used, which frames come from which prompt, and the items that track
    from it, by the `id` of the prompt; none where the prompt's own mask is all that is needed."""

    video: Correctable
    corrections: VideoCorrections
    problems: list[PromptProblem]
    reaches: list[Reach]
    chains: dict[int, list[Item]]

    @property
    def items(self) -> list[Item]:
        """All that track again."""
        return [item for chain in self.chains.values() for item in chain]


def planned(store: RunStore, video: Correctable, corrections: VideoCorrections, segmenter: ModelSpec) -> Retracking:
    """What has to be tracked again for corrections."""
    usable, problems = _usable(video, corrections)
    reached = reaches(video.frames, usable, video.starts, video.both_ways)
    owned: dict[int, list[Frames]] = {}
    for one in reached:
        owned.setdefault(id(one.prompt), []).append(one.owned)
    prompts = {id(one.prompt): one.prompt for one in reached}
    chains: dict[int, list[Item]] = {}
    for key, parts in owned.items():
        whole = np.concatenate(parts)
        chains[key] = [] if _is_shown(prompts[key], whole) else _chain(store, video, prompts[key], whole, segmenter)
    return Retracking(video, usable, problems, reached, chains)


def _is_shown(prompt: CorrectionPrompt, owned: Frames) -> bool:
    """Whether a prompt is a mask of all frames that come from it: its own."""
    return prompt.mask is not None and owned.tolist() == [prompt.frame]


def track_again(run: ItemRun, every: Sequence[Retracking]) -> dict[int, Outcome]:
    """Make all items; the outcome of each by the item's `id`."""
    items = [item for one in every for item in one.items]
    return {
        id(item): outcome
        for item, outcome in zip(items, run_items(run, RETRACK, items, inputs=Files(run.store, "video")), strict=True)
    }


def failure_of(one: Retracking, made: Mapping[int, Outcome]) -> str | None:
    """Why a video's corrections could not be tracked; None where they could."""
    failed = next((outcome for item in one.items if (outcome := made[id(item)]).reason is not None), None)
    return None if failed is None else f"a correction could not be tracked ({failed.item.name}): {failed.reason}"


def unanswered(one: Retracking, made: Mapping[int, Outcome]) -> list[PromptProblem]:
    """The prompts at which nothing was found."""
    silent = [
        item.request["prompt"]
        for chain in one.chains.values()
        for item in chain[:1]
        if not (made[id(item)].record or {"answered": True})["answered"]
    ]
    return [
        PromptProblem(where=f"correction of object {p['obj_id']}, frame {p['frame']}", what="nothing is found there")
        for p in silent
    ]


def retracked(one: Retracking, made: Mapping[int, Outcome]) -> tuple[list[dict[str, Any]], list[Any]]:
    """What was tracked again, as a `core.corrections.correct_item.Retracked` each; and the same by keys."""
    frames = one.video.frames.tolist()
    requests, keys = [], []
    for reach in one.reaches:
        owned = [span.model_dump(mode="json") for span in spans_of(frames, reach.owned.tolist())]
        outcomes = [made[id(item)] for item in one.chains[id(reach.prompt)]]
        parts = [
            {"folder": str(o.folder), "first": o.item.request["frames"][0], "last": o.item.request["frames"][-1]}
            for o in outcomes
        ]
        shown = None if outcomes else reach.prompt.mask
        requests.append({"obj_id": reach.obj_id, "owned": owned, "stretches": parts, "shown": shown})
        keys.append([reach.obj_id, owned, [outcome.key for outcome in outcomes], shown])
    return requests, keys


def _usable(video: Correctable, corrections: VideoCorrections) -> tuple[VideoCorrections, list[PromptProblem]]:
    """The corrections that can be used, and what there is to say of the others, and of those that are odd."""
    prompts, problems = [], []
    for one in corrections.prompts:
        if one.until is not None:  # what has come of it was accepted
            prompts.append(one)
            continue
        wrong = misfit(one, *video.size)
        if one.frame >= video.length:
            wrong = beyond(video.length)
        elif in_accepted(one, corrections):
            wrong = "the frame is accepted, and is not changed: take that back first"
        odd = wrong or doubt(one, *video.size)
        if odd is not None:
            where = f"correction of object {one.obj_id}, frame {one.frame}"
            problems.append(PromptProblem(where=where, what=odd))
        if wrong is None:
            prompts.append(one)
    usable = corrections.model_copy(update={"prompts": prompts})
    return usable, problems + list(_unknown(usable, set(video.labels)))


def _unknown(corrections: VideoCorrections, known: set[int]) -> list[PromptProblem]:
    """Entries about objects that are not there."""
    shown = {one.obj_id for one in corrections.prompts}
    there = known | shown | {one.becomes for one in corrections.ids}
    named = [("ids", one.obj_id, there) for one in corrections.ids]
    named += [("absent", one.obj_id, there) for one in corrections.absent]
    named += [("labels", obj_id, there) for obj_id in corrections.labels]
    named += [("accepted", one.obj_id, there) for one in corrections.accepted if one.obj_id is not None]
    objects = ", ".join(map(str, sorted(there)[:20])) or "none"
    what = f"there is no such object in these results (there are {objects})"
    return [
        PromptProblem(where=f"corrections, {entry}, object {obj_id}", what=what)
        for entry, obj_id, among in named
        if obj_id not in among
    ]


def _chain(
    store: RunStore, video: Correctable, prompt: CorrectionPrompt, owned: Frames, segmenter: ModelSpec
) -> list[Item]:
    """The items that track an object again from a prompt, forward and backward, each going on from that before."""
    directions: tuple[Direction, ...] = ("forward", "backward")
    return [
        item
        for direction in directions
        for item in _one_way(
            store, video, prompt, direction,
            stretches(prompt.frame, owned, direction, video.frames, video.times_s), segmenter,
        )
    ]  # fmt: skip


def _one_way(
    store: RunStore,
    video: Correctable,
    prompt: CorrectionPrompt,
    direction: Direction,
    parts: Sequence[list[int]],
    segmenter: ModelSpec,
) -> list[Item]:
    items: list[Item] = []
    shown = prompt.model_dump(mode="json", exclude={"round", "until", "label"})
    for part in parts:
        before = items[-1] if items else None
        key = None if before is None else item_key(RETRACK, before)
        what = {"prompt": shown, "direction": direction, "frames": part, "max_side": video.max_side}
        inputs = {"video": video.content, **what, "segmenter": segmenter.key, "before": key}
        folder = None if key is None else str(store.item_folder(RETRACK.task_name, key))
        request = {"video": video.path, **what, "before": folder, "segmenter": segmenter.model_dump(mode="json")}
        begins = part[0] if direction == "forward" else part[-1]
        name = f"{video.name} (object {prompt.obj_id} {direction} from frame {begins})"
        items.append(Item(name, inputs, request, video.cost * len(part), before))
    return items
