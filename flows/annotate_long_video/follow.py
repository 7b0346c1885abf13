"""An item for each window and direction: carried on from window to window, segments side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from core.formats.html_report import clock
from core.tracking.appearance import Appearance
from core.tracking.tracker_state import read_looks
from core.windows.continuing import going_on
from core.windows.merge import Shard
from core.windows.plan import Direction, Followed, Plausible, Window
from core.windows.stitch import Border, Known, Pair, Seen, pair_known, pair_over_gaps, pair_unknown, seen_between
from flows.annotate_long_video.videos import Models, Settings, Video
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
    """What is followed through the windows of one segment in one direction."""

    video: Video
    segment: int
    direction: Direction
    objects: list[Plausible]
    continued: bool = False


@dataclass
class Following:
    """What was followed of one video, and what was handed from segment to segment."""

    made: list[Made] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)


def follow(
    run: ItemRun, videos: Sequence[Video], settings: Settings, models: Models, resume: bool
) -> dict[str, Following]:
    """Follow every video, segment by segment side by side; within one, window by window, each going on from the state
    of the one before. Forward, and, where there are annotations, backward too; the two do not need each other.

    Then, in rounds, segments go on with what those next to them did not lose and they do not have.
    """
    ways: tuple[Direction, ...] = ("forward",) if models.detector is not None else ("forward", "backward")
    found = {video.video_id: Following() for video in videos}
    chains = [
        _Chain(video, number, direction, [_only_in(one, windows) for one in video.objects])
        for video in videos
        for number, windows in enumerate(video.segments)
        for direction in ways
    ]
    tried: set[tuple[str, int, Direction, int]] = set()
    while chains:
        links = [link for chain in chains for link in _windows(run, chain, settings, models)]
        outcomes = run_items(run, FOLLOW, [item for _, _, item in links], resume)
        for (chain, window, _), outcome in zip(links, outcomes, strict=True):
            made = Made(chain.segment, window, chain.direction, chain.continued, outcome)
            found[chain.video.video_id].made.append(made)
        chains = []
        for video in videos:
            for chain in _onward(video, found[video.video_id]):
                place = (video.video_id, chain.segment, chain.direction)
                new = [one for one in chain.objects if (*place, one.obj_id) not in tried]
                tried |= {(*place, one.obj_id) for one in new}
                if new:
                    chains.append(replace(chain, objects=new))
    for video in videos:
        found[video.video_id].pairs = _join(video, found[video.video_id].made, models)
    return found


def _only_in(one: Plausible, windows: Sequence[Window]) -> Plausible:
    """The object as a segment knows it that sees only its own annotations."""
    seeds = tuple(seed for seed in one.seeds if windows[0].first <= seed.shown.frame < windows[-1].end)
    return replace(one, seeds=seeds)


def _windows(run: ItemRun, chain: _Chain, settings: Settings, models: Models) -> list[tuple[_Chain, Window, Item]]:
    """The items of a chain, each after the one before; windows with nothing to follow are left out."""
    windows = chain.video.segments[chain.segment]
    links: list[tuple[_Chain, Window, Item]] = []
    before: Item | None = None
    for window in windows if chain.direction == "forward" else reversed(windows):
        objects = [part for one in chain.objects if (part := one.within(window, chain.direction)) is not None]
        if objects or models.detector is not None:
            last = window is windows[-1]
            before = _item(
                run, chain.video, settings, models, window, chain.direction, objects, before, last, chain.continued
            )
            links.append((chain, window, before))
    return links


def _onward(video: Video, following: Following) -> Iterator[_Chain]:
    """What segments have to go on with that those next to them followed."""
    for border in _borders(video) if video.objects else ():
        here, there = _overlap(video, border, following.made)
        forward, backward = (
            going_on(video.objects, here, there, "forward"),
            going_on(video.objects, there, here, "backward"),
        )
        yield _Chain(video, border.later, "forward", forward, continued=True)
        yield _Chain(video, border.segment, "backward", backward, continued=True)


def _borders(video: Video) -> list[Border]:
    numbers = range(len(video.segments))
    return [Border(one, one + 1, video.segments[one][-1].index) for one in numbers[:-1]]


def _overlap(video: Video, border: Border, made: Sequence[Made]) -> tuple[Seen, Seen]:
    """What each of two segments tells of the frames that both have."""
    last, first = video.segments[border.segment][-1], video.segments[border.later][0]
    shards = [
        [
            one.shard()
            for one in made
            if one.segment == segment and one.outcome.record is not None and one.window.end > first.first
            and one.window.first < last.end
        ]
        for segment in (border.segment, border.later)
    ]  # fmt: skip
    return seen_between(shards[0], first.first, last.end), seen_between(shards[1], first.first, last.end)


def _join(video: Video, made: Sequence[Made], models: Models) -> list[Pair]:
    """Which objects of neighbouring segments are the same, and how sure that is."""
    pairs: list[Pair] = []
    alone = [one for one in made if not one.continued]
    for border in _borders(video):
        if models.detector is not None:
            pairs += pair_unknown(border, *_overlap(video, border, alone))
            continue
        pairs += pair_known(border, *_overlap(video, border, alone))
        pairs += _handed_over(border, made)
    if models.detector is not None:
        known = {segment: _known(made, segment) for segment in range(len(video.segments))}
        pairs += pair_over_gaps(_borders(video), known, pairs)
    return pairs


def _handed_over(border: Border, made: Sequence[Made]) -> list[Pair]:
    """Objects that one of two segments goes on with where the other ends."""
    pairs = []
    for one in made:
        into_later = one.segment == border.later and one.direction == "forward"
        if not one.continued or not (into_later or (one.segment == border.segment and one.direction == "backward")):
            continue
        for followed in one.outcome.item.request["objects"]:
            for seed in followed["seeds"]:
                frame, obj_id = seed["shown"]["frame"], followed["obj_id"]
                pairs.append(
                    Pair(kind="continued", segment=border.segment, later=border.later, window=border.window,
                         before=obj_id, after=obj_id, score=seed["score"], from_frame=frame, to_frame=frame)
                )  # fmt: skip
    return pairs


def _known(made: Sequence[Made], segment: int) -> dict[int, Known]:
    """First and last frame, label and looks of each object of a segment."""
    spans: dict[int, tuple[int, int]] = {}
    looks: dict[int, tuple[str | None, Appearance]] = {}
    for one in made:
        if one.segment != segment or one.outcome.record is None:
            continue
        for row in one.shard().rows():
            for seen in row.objects:
                spans[seen.obj_id] = (spans.get(seen.obj_id, (row.frame, 0))[0], row.frame)
        looks |= read_looks(one.outcome.folder)
    return {obj_id: Known(*looks[obj_id], *spans[obj_id]) for obj_id in looks.keys() & spans.keys()}


def _item(
    run: ItemRun,
    video: Video,
    settings: Settings,
    models: Models,
    window: Window,
    direction: Direction,
    objects: Sequence[Followed],
    before: Item | None,
    last: bool,
    continued: bool,
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
    name = f"{video.video_id} {direction} {clock(start)}–{clock(end)}{' (continued)' if continued else ''}"
    key = None if before is None else item_key(FOLLOW, before)
    folder = None if key is None else str(run.store.item_folder(FOLLOW.task_name, key))
    inputs = {"video": video.content, **what, **models.key, "before": key}
    request = {"video": str(video.path), "index": str(video.index_folder), **what, **models.request, "before": folder}
    return Item(name, inputs, request, float(window.end - window.first), before)
