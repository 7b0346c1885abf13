"""An item for each window and direction: carried on from window to window, segments side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.long_video.continuing import carry_over
from core.long_video.merge import Shard
from core.long_video.plan import Direction, Followed, Plausible, Window
from core.long_video.stitch import (
    Border,
    OverlapObservations,
    Pair,
    TrackSummary,
    overlap_observations,
    pair_known,
    pair_over_gaps,
    pair_unknown,
    resolve_segments,
)  # fmt: skip
from core.masks.appearance import Histogram
from core.text import clock
from core.tracking.tracker_state import read_appearance
from flows.annotate_long_video.videos import ModelSpecs, Settings, Video
from tasks.inputs import Files
from tasks.items import Item, Outcome, Stage, item_key
from tasks.running import ItemRun, run_items

FOLLOW = Stage(
    "follow",
    "core.long_video.window_item:follow_window",
    lambda done: [
        f"{done['frames']} frames in {done['seconds']:.2f}s ({done['frames'] / max(done['seconds'], 1e-9):.2f} fps)",
        f"{done['objects']} objects",
        f"memory {done['memory']['host_before_mib']:.0f} MiB before, {done['memory']['host_peak_mib']:.0f} at most"
        + (f", GPU {done['memory']['gpu_peak_mib']:.0f}" if done["memory"]["gpu_peak_mib"] is not None else ""),
    ],
    version=2,
)


@dataclass(frozen=True)
class Made:
    """A window that was followed in one direction, or the reason why it was not.

    Attributes:
        segment: number of the segment.
        window: the window.
        direction: in which it was followed.
        continued: it goes on with what another segment left.
        outcome: what became of it.
    """

    segment: int
    window: Window
    direction: Direction
    continued: bool
    outcome: Outcome

    def shard(self) -> Shard:
        """Where its rows are."""
        first, index = self.window.first, self.window.index
        return Shard(
            folder=self.outcome.folder, segment=self.segment, window=index, direction=self.direction, first=first
        )


@dataclass(frozen=True)
class _Chain:
    """What is followed through windows of one segment in one direction; they stand in that order."""

    video: Video
    segment: int
    direction: Direction
    windows: Sequence[Window]
    objects: list[Plausible]
    continued: bool = False

    @classmethod
    def through(
        cls, video: Video, segment: int, direction: Direction, objects: list[Plausible], continued: bool
    ) -> "_Chain":
        """Through all windows of a segment."""
        windows = video.segments[segment]
        ordered = windows if direction == "forward" else windows[::-1]
        return cls(video, segment, direction, ordered, objects, continued)


@dataclass
class Following:
    """What was followed of one video, and what was handed from segment to segment."""

    made: list[Made] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)


def follow(run: ItemRun, videos: Sequence[Video], settings: Settings, specs: ModelSpecs) -> dict[str, Following]:
    """Follow every video, segment by segment side by side; within one, window by window, each going on from the state
    of the one before. Forward, and, where there are annotations, backward too; the two do not need each other.

    Then, in rounds: behind a window that failed, what is annotated there is followed from its own annotations; and
    segments go on with what those next to them saw in the overlap and they did not.
    """
    ways: tuple[Direction, ...] = ("forward",) if specs.detector is not None else ("forward", "backward")
    found = {video.video_id: Following() for video in videos}
    chains = [
        _Chain.through(video, number, direction, [_only_in(one, windows) for one in video.objects], False)
        for video in videos
        for number, windows in enumerate(video.segments)
        for direction in ways
    ]
    tried: set[tuple[str, int, Direction, int]] = set()
    while chains:
        links = [link for chain in chains for link in _windows(run, chain, settings, specs)]
        outcomes = run_items(run, FOLLOW, [item for _, _, item in links], inputs=Files(run.store, "video"))
        broken: dict[int, tuple[_Chain, Window]] = {}
        for (chain, window, _), outcome in zip(links, outcomes, strict=True):
            if id(chain) in broken:
                continue  # not tried
            if outcome.reason is not None and specs.detector is None:
                broken[id(chain)] = (chain, window)
            made = Made(chain.segment, window, chain.direction, chain.continued, outcome)
            found[chain.video.video_id].made.append(made)
        chains = [_behind(chain, window) for chain, window in broken.values()]
        for video in videos:
            for chain in _onward(video, found[video.video_id]):
                place = (video.video_id, chain.segment, chain.direction)
                new = [one for one in chain.objects if (*place, one.obj_id) not in tried]
                tried |= {(*place, one.obj_id) for one in new}
                if new:
                    chains.append(replace(chain, objects=new))
    for video in videos:
        found[video.video_id].pairs = _join(video, found[video.video_id].made, specs)
    return found


def _behind(chain: _Chain, window: Window) -> _Chain:
    """The rest of a chain behind a window that failed."""
    rest = chain.windows[chain.windows.index(window) + 1 :]
    return replace(chain, windows=rest, objects=[_only_in(one, rest) for one in chain.objects] if rest else [])


def _only_in(one: Plausible, windows: Sequence[Window]) -> Plausible:
    """The object as it is known where only the annotations in these windows are seen."""
    first, end = min(window.first for window in windows), max(window.end for window in windows)
    return replace(one, seeds=tuple(seed for seed in one.seeds if first <= seed.shown.frame < end))


def _windows(run: ItemRun, chain: _Chain, settings: Settings, specs: ModelSpecs) -> list[tuple[_Chain, Window, Item]]:
    """The items of a chain, each after the one before; windows with nothing to follow are left out."""
    links: list[tuple[_Chain, Window, Item]] = []
    before: Item | None = None
    parts = [(window, _within(chain, window)) for window in chain.windows]
    if specs.detector is not None:  # every window with a frame on the grid
        kept = [(w, objects) for w, objects in parts if -(-w.first // settings.interval) * settings.interval < w.end]
    else:
        kept = [(window, objects) for window, objects in parts if objects]
    for window, objects in kept:
        before = _item(run, chain, settings, specs, window, objects, before, last=window is kept[-1][0])
        links.append((chain, window, before))
    return links


def _within(chain: _Chain, window: Window) -> list[Followed]:
    return [part for one in chain.objects if (part := one.within(window, chain.direction)) is not None]


def _onward(video: Video, following: Following) -> Iterator[_Chain]:
    """What segments have to go on with that those next to them followed."""
    for border in _borders(video) if video.objects else ():
        here, there = _overlap(video, border, following.made)
        forward = carry_over(video.objects, here, there, "forward")
        backward = carry_over(video.objects, there, here, "backward")
        yield _Chain.through(video, border.later, "forward", forward, continued=True)
        yield _Chain.through(video, border.segment, "backward", backward, continued=True)


def _borders(video: Video) -> list[Border]:
    numbers = range(len(video.segments))
    return [Border(one, one + 1, video.segments[one][-1].index) for one in numbers[:-1]]


def _overlap(video: Video, border: Border, made: Sequence[Made]) -> tuple[OverlapObservations, OverlapObservations]:
    """What each of two segments has on the frames that both have."""
    first, end = video.segments[border.later][0].first, video.segments[border.segment][-1].end
    return _seen(made, border.segment, first, end), _seen(made, border.later, first, end)


def _seen(made: Sequence[Made], segment: int, first: int, end: int) -> OverlapObservations:
    done = [one for one in made if one.segment == segment and one.outcome.record is not None]
    there = [one.shard() for one in done if one.window.end > first and one.window.first < end]
    return overlap_observations(there, first, end, resolve_segments(one.shard() for one in done))


def _join(video: Video, made: Sequence[Made], specs: ModelSpecs) -> list[Pair]:
    """Which objects of neighbouring segments are the same, and how sure that is."""
    pairs: list[Pair] = []
    alone = [one for one in made if not one.continued]
    for border in _borders(video):
        if specs.detector is not None:
            pairs += pair_unknown(border, *_overlap(video, border, alone))
            continue
        pairs += pair_known(border, *_overlap(video, border, alone))
        pairs += _handed_over(border, made)
    if specs.detector is not None:
        known = {segment: _known(made, segment) for segment in range(len(video.segments))}
        pairs += pair_over_gaps(_borders(video), known, pairs)
    return pairs


def _handed_over(border: Border, made: Sequence[Made]) -> list[Pair]:
    """Objects that one of two segments goes on with where the other ends."""
    pairs = []
    for one in made:
        into_later = one.segment == border.later and one.direction == "forward"
        into_earlier = one.segment == border.segment and one.direction == "backward"
        if not one.continued or one.outcome.record is None or not (into_later or into_earlier):
            continue
        for followed in one.outcome.item.request["objects"]:
            for seed in followed["seeds"]:
                frame, obj_id = seed["shown"]["frame"], followed["obj_id"]
                pairs.append(
                    Pair(kind="continued", segment=border.segment, later=border.later, window=border.window,
                         before=obj_id, after=obj_id, score=seed["score"], from_frame=frame, to_frame=frame)
                )  # fmt: skip
    return pairs


def _known(made: Sequence[Made], segment: int) -> dict[int, TrackSummary]:
    """First and last frame, label and latest appearance of each object of a segment."""
    done = [one for one in made if one.segment == segment and one.outcome.record is not None]
    known = resolve_segments(one.shard() for one in done)
    spans: dict[int, tuple[int, int]] = {}
    appearance: dict[int, tuple[str | None, Histogram]] = {}
    for one in done:
        for row in one.shard().rows():
            for seen in row.objects:
                who = known.identify(one.shard(), seen)
                if who is not None:
                    spans[who[1]] = (spans.get(who[1], (row.frame, 0))[0], row.frame)
        # Of an object with several numbers the latest appearance counts: numbers ascend in time.
        latest = read_appearance(one.outcome.folder)
        appearance |= {known.same_as.get(obj_id, obj_id): latest[obj_id] for obj_id in sorted(latest)}
    return {obj_id: TrackSummary(*appearance[obj_id], *spans[obj_id]) for obj_id in appearance.keys() & spans.keys()}


def _item(
    run: ItemRun,
    chain: _Chain,
    settings: Settings,
    specs: ModelSpecs,
    window: Window,
    objects: Sequence[Followed],
    before: Item | None,
    last: bool,
) -> Item:
    video = chain.video
    held = {prompt.frame for prompts in video.held_out.values() for prompt in prompts}
    what: dict[str, Any] = {
        "direction": chain.direction,
        "first": window.first,
        "end": window.end,
        "interval": settings.interval,
        "max_side": video.max_side(settings.scale),
        "objects": [one.model_dump(mode="json") for one in objects],
        "also": sorted(frame for frame in held if window.first <= frame < window.end),
    }
    if specs.detector is not None:
        every = max(1, round(settings.detection_interval / settings.interval))
        what |= {"last": last, "detect_every": every}
        if settings.max_objects is not None:
            what["max_objects"] = settings.max_objects
    start, end = (clock(float(video.index.times_s[frame])) for frame in (window.first, window.end - 1))
    place = f"{window.index + 1}/{sum(map(len, video.segments))}"
    name = f"{video.video_id} {chain.direction} {place} {start}–{end}{' (continued)' if chain.continued else ''}"
    key = None if before is None else item_key(FOLLOW, before)
    folder = None if key is None else str(run.store.item_folder(FOLLOW.task_name, key))
    inputs = {"video": video.content, **what, **specs.key, "before": key}
    request = {"video": video.source, "index": str(video.index_folder), **what, **specs.request, "before": folder}
    return Item(name, inputs, request, float(window.end - window.first), before)
