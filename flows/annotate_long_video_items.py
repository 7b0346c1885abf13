"""How `annotate_long_video` splits its work: an item for each window and direction, carried on or side by side."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from core.formats.hd_epic import scene_graph_file, stationary_objects
from core.formats.html_report import clock
from core.formats.sparse_annotations import Problem, SparsePrompt, fit, held_out
from core.models.spec import ModelSpec
from core.tracking.tracker_state import read_looks
from core.video.index import FrameIndex
from core.windows.continuing import going_on
from core.windows.merge import Shard
from core.windows.plan import Direction, Followed, Plausible, Window, cut, plausible, without_overlap
from core.windows.stitch import Known, Pair, Seen, pair_known, pair_over_gaps, pair_unknown, seen_between
from flows.annotate_long_video_plan import Plan
from tasks.items import Item, ItemRun, Outcome, Stage, item_key, run_items

FOLLOW = Stage(
    "follow",
    "core.windows.window_item:follow_window",
    lambda done: [
        f"{done['frames']} frames in {done['seconds']:.2f}s ({done['frames'] / max(done['seconds'], 1e-9):.2f} fps)",
        f"{done['objects']} objects",
        f"memory {done['memory']['host_before_mib']:.0f} MiB before, {done['memory']['host_peak_mib']:.0f} at most"
        + (f", GPU {done['memory']['gpu_peak_mib']:.0f}" if done["memory"]["gpu_peak_mib"] is not None else ""),
    ],
)


@dataclass(frozen=True)
class Settings:
    """What the user chose that changes results; times in seconds, intervals in source frames."""

    window_s: float
    overlap_s: float
    scale: float
    interval: int
    detection_interval: int
    margin_s: float
    hold_out: float
    parallel: bool


@dataclass(frozen=True)
class Models:
    """The models decided upon, and the text for the detector."""

    segmenter: ModelSpec
    detector: ModelSpec | None
    text_prompt: str | None

    @property
    def key(self) -> dict[str, Any]:
        """What results depend on."""
        detector = None if self.detector is None else self.detector.key
        return {"segmenter": self.segmenter.key, "detector": detector, "text_prompt": self.text_prompt}

    @property
    def request(self) -> dict[str, Any]:
        """What a worker needs."""
        detector = None if self.detector is None else self.detector.model_dump(mode="json")
        segmenter = self.segmenter.model_dump(mode="json")
        return {"segmenter": segmenter, "detector": detector, "text_prompt": self.text_prompt}


@dataclass(frozen=True, eq=False)
class Video:
    """One video that can be annotated.

    Attributes:
        content: its digest.
        info: the record of its index.
        objects: where each is plausible; empty with a text prompt.
        names: id and name of each in the annotations, by number.
        held_out: annotations that are not shown to the tracker, by number of the object.
        stationary: names of objects that never move; None where no scene graph tells.
    """

    video_id: str
    path: Path
    content: str
    info: dict[str, Any]
    index_folder: Path
    index: FrameIndex
    objects: list[Plausible]
    names: dict[int, tuple[str, str]]
    held_out: dict[int, list[SparsePrompt]]
    problems: list[Problem]
    stationary: list[str] | None
    windows: list[Window]

    def max_side(self, scale: float) -> int:
        """The longer side at which frames are processed, in pixels."""
        return max(1, round(scale * max(int(self.info["width"]), int(self.info["height"]))))


@dataclass(frozen=True)
class Made:
    """A window that was followed in one direction, or the reason why it was not."""

    window: Window
    direction: Direction
    outcome: Outcome

    def shard(self) -> Shard:
        """Where its rows are."""
        return Shard(
            folder=self.outcome.folder, window=self.window.index, direction=self.direction, first=self.window.first
        )


def prepare(
    plan: Plan, settings: Settings, scene_graphs: Path, indexed: Outcome, index: FrameIndex, content: str
) -> Video | str:
    """What is to be done with one video; or the reason why nothing can be."""
    video_id, info = indexed.item.name, indexed.record or {}
    objects, names, held, problems, moved = [], {}, {}, [], set()
    if plan.annotations is not None:
        given = plan.annotations(video_id, info["width"], info["height"])
        if given is None:
            return f"there are no annotations of this video in the {plan.source}"
        moved = {one.name for one in given.objects}
        fitted = fit(given, info["width"], info["height"], len(index))
        problems = fitted.problems
        if not fitted.objects:
            return f"none of its annotations can be used: {_first_of(problems)}"
        shown, out = held_out(fitted.objects, settings.hold_out)
        for number, (one, whole) in enumerate(zip(shown, fitted.objects, strict=True), 1):
            kept = plausible(one, number, index, settings.margin_s)
            objects.append(replace(kept, spans=plausible(whole, number, index, settings.margin_s).spans))
            names[number] = (one.assoc_id, one.name)
            if one.assoc_id in out:
                held[number] = out[one.assoc_id]
    stationary = None
    graph = scene_graph_file(scene_graphs, video_id)
    if graph.is_file():
        try:
            stationary, unread = stationary_objects(graph, moved)
            problems = [*problems, *unread]
        except (OSError, UnicodeDecodeError) as error:
            problems = [*problems, Problem(str(graph), str(error))]
    length, overlap = (max(1, int(seconds * info["fps"])) for seconds in (settings.window_s, settings.overlap_s))
    windows = cut(len(index), length, min(overlap if settings.overlap_s else 0, length - 1))
    path = Path(indexed.item.request["video"])
    return Video(
        video_id, path, content, info, indexed.folder, index, objects, names, held, problems, stationary,
        windows if settings.parallel else without_overlap(windows),
    )  # fmt: skip


def _first_of(problems: Sequence[Problem]) -> str:
    more = f" (and {len(problems) - 1} more problems)" if len(problems) > 1 else ""
    return f"{problems[0].where}: {problems[0].what}{more}" if problems else "there are none"


def carry(run: ItemRun, videos: Sequence[Video], settings: Settings, models: Models, resume: bool) -> list[list[Made]]:
    """Follow every video window by window, each going on from the state of the one before: forward, and, where there
    are annotations, backward from the last window to the first. The two ways do not need each other."""
    chains: list[list[tuple[Window, Direction, Item]]] = []
    for video in videos:
        chain: list[tuple[Window, Direction, Item]] = []
        for direction in _ways(models):
            before: Item | None = None
            for window in video.windows if direction == "forward" else reversed(video.windows):
                objects = [part for one in video.objects if (part := one.within(window, direction)) is not None]
                if objects or models.detector is not None:
                    last = window is video.windows[-1]
                    before = _item(run, video, settings, models, window, direction, objects, before, last)
                    chain.append((window, direction, before))
        chains.append(chain)
    outcomes = iter(run_items(run, FOLLOW, [item for chain in chains for _, _, item in chain], resume))
    return [[Made(window, direction, next(outcomes)) for window, direction, _ in chain] for chain in chains]


def side_by_side(
    run: ItemRun, videos: Sequence[Video], settings: Settings, models: Models, resume: bool
) -> list[list[Made]]:
    """Follow all windows at once, each from its own annotations; then, in rounds, go on in the windows next to them
    with what they did not lose and those do not have."""
    todo = [(video, *part) for video in videos for part in _own(video, models)]
    made: dict[str, list[Made]] = {video.video_id: [] for video in videos}
    tried: set[tuple[str, int, Direction, int]] = set()
    while todo:
        items = [_item(run, video, settings, models, window, way, objects) for video, window, way, objects in todo]
        for (video, window, way, _), outcome in zip(todo, run_items(run, FOLLOW, items, resume), strict=True):
            made[video.video_id].append(Made(window, way, outcome))
        todo = []
        for video in videos:
            for window, way, objects in _onward(video, made[video.video_id]):
                new = [one for one in objects if (video.video_id, window.index, way, one.obj_id) not in tried]
                tried |= {(video.video_id, window.index, way, one.obj_id) for one in new}
                if new:
                    todo.append((video, window, way, new))
    return [made[video.video_id] for video in videos]


def _ways(models: Models) -> tuple[Direction, ...]:
    return ("forward",) if models.detector is not None else ("forward", "backward")


def _own(video: Video, models: Models) -> Iterable[tuple[Window, Direction, list[Followed]]]:
    for window in video.windows:
        inside = [_only_in(one, window) for one in video.objects]
        for direction in _ways(models):
            objects = [part for one in inside if (part := one.within(window, direction)) is not None]
            if objects or models.detector is not None:
                yield window, direction, objects


def _only_in(one: Plausible, window: Window) -> Plausible:
    """The object as a window knows it that sees only its own annotations."""
    seeds = tuple(seed for seed in one.seeds if window.first <= seed.shown.frame < window.end)
    return Plausible(one.obj_id, one.name, one.spans, seeds)


def _onward(video: Video, made: Sequence[Made]) -> Iterable[tuple[Window, Direction, list[Followed]]]:
    """What the windows have to go on with that those next to them followed."""
    for window, later in pairwise(video.windows):
        here, there = _overlap(made, window, later)
        yield later, "forward", going_on(video.objects, here, there, later, "forward")
        yield window, "backward", going_on(video.objects, there, here, window, "backward")


def _overlap(made: Sequence[Made], window: Window, later: Window) -> tuple[Seen, Seen]:
    """What each of two windows tells of the frames that both have."""
    shards = {
        index: [one.shard() for one in made if one.window.index == index and one.outcome.record is not None]
        for index in (window.index, later.index)
    }
    first, end = seen_between(shards[window.index], later.first, window.end), later.first
    return first, seen_between(shards[later.index], end, window.end)


def join(video: Video, made: Sequence[Made], models: Models) -> list[Pair]:
    """Which objects of neighbouring windows are the same, and how sure that is."""
    pairs = []
    for window, later in pairwise(video.windows):
        pair = pair_known if models.detector is None else pair_unknown
        pairs += pair(window, later, *_overlap(made, window, later))
    if models.detector is not None:
        known = {one.window.index: _known(one) for one in made if one.outcome.record is not None}
        pairs += pair_over_gaps(video.windows, known, pairs)
    return pairs


def _known(made: Made) -> dict[int, Known]:
    """First and last frame, label and looks of each object of a window."""
    spans: dict[int, tuple[int, int]] = {}
    for row in made.shard().rows():
        for one in row.objects:
            spans[one.obj_id] = (spans.get(one.obj_id, (row.frame, 0))[0], row.frame)
    return {
        obj_id: Known(label, looks, *spans[obj_id])
        for obj_id, (label, looks) in read_looks(made.outcome.folder).items()
        if obj_id in spans
    }


def _item(
    run: ItemRun,
    video: Video,
    settings: Settings,
    models: Models,
    window: Window,
    direction: Direction,
    objects: Sequence[Followed],
    before: Item | None = None,
    last: bool = True,
) -> Item:
    held = {prompt.frame for prompts in video.held_out.values() for prompt in prompts}
    what = {
        "direction": direction,
        "first": window.first,
        "end": window.end,
        "interval": settings.interval,
        "max_side": video.max_side(settings.scale),
        "objects": [one.model_dump(mode="json") for one in objects],
        "also": sorted(frame for frame in held if window.first <= frame < window.end),
        "last": last or models.detector is None,
        "detect_every": max(1, round(settings.detection_interval / settings.interval)),
    }
    start, end = (float(video.index.times_s[frame]) for frame in (window.first, window.end - 1))
    name = f"{video.video_id} {direction} {clock(start)}–{clock(end)}"
    key = None if before is None else item_key(FOLLOW, before)
    folder = None if key is None else str(run.store.item_folder(FOLLOW.task_name, key))
    inputs = {"video": video.content, **what, **models.key, "before": key}
    request = {"video": str(video.path), "index": str(video.index_folder), **what, **models.request, "before": folder}
    return Item(name, inputs, request, float(window.end - window.first), before)
