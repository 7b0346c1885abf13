"""From signs of trouble to the frames a person should look at."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappush, heappushpop

import numpy as np

from core.formats.exchange.model import OBJECT, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.sources import Sources
from core.formats.id_maps import IdMap
from core.formats.review_jsonl import ReviewEntry
from core.masks import rle
from core.quality.signs import Signs, SignTracker, look_through
from core.video.frames import RGB

_SMOOTHED_S = 0.25
_STRETCH_S = 2.0
_LEAST = 0.2
_MOST = 500
_VERY, _LOW_SCORE = 0.45, 0.5  # suspicion and mean score of objects that are mostly wrong
_TELLING, _MOST_WORDS = 0.4, 3  # signs from here on are named as reasons, the strongest

WORDS = {
    "area": "its size jumps",
    "motion": "it jumps",
    "score": "low score",
    "pieces": "in pieces",
    "ragged": "ragged outline",
    "flow": "does not move with the picture",
    "edges": "outline on no edge",
    "appearance": "looks unlike its first frame",
    "identity": "perhaps another object",
}
"""What signs are called for people."""


@dataclass(frozen=True)
class Doubt:
    """An object on a frame, and how suspicious it is, 0..1: the mean of its signs over half a second. An error lasts,
    its first sign does not."""

    signs: Signs
    suspicion: float


def doubts(signs: Iterable[Signs]) -> Iterator[Doubt]:
    """The signs smoothed over time, each track by itself. A little later than they come; memory does not grow."""
    tracks: dict[int, _Smoother] = {}
    for one in signs:
        yield from tracks.setdefault(one.obj_id, _Smoother()).push(one)
    for track in tracks.values():
        yield from track.finish()


@dataclass
class _Smoother:
    """The last signs of a track: those that were reported, and those that wait for what comes after them."""

    _reported: deque[Signs] = field(default_factory=deque)
    _waiting: deque[Signs] = field(default_factory=deque)

    def push(self, one: Signs) -> Iterator[Doubt]:
        self._waiting.append(one)
        while one.time_s - self._waiting[0].time_s > _SMOOTHED_S:
            yield self._tell()

    def finish(self) -> Iterator[Doubt]:
        while self._waiting:
            yield self._tell()

    def _tell(self) -> Doubt:
        one = self._waiting.popleft()
        while self._reported and one.time_s - self._reported[0].time_s > _SMOOTHED_S:
            self._reported.popleft()
        near = [other.mean for other in (*self._reported, one)]
        near += [other.mean for other in self._waiting if other.time_s - one.time_s <= _SMOOTHED_S]
        self._reported.append(one)
        return Doubt(one, sum(near) / len(near))


@dataclass(frozen=True)
class Reviewed:
    """A video looked through.

    Attributes:
        entries: the frames a person should look at, worst first: of each object and two seconds the worst one; at most
            500, and none that is hardly suspicious.
        doubtful: ids of the objects that are likely wrong for most of their time: their mean score is low, or half of
            their stretches of two seconds, or more, have a frame that is very suspicious.
    """

    entries: list[ReviewEntry]
    doubtful: list[int]


@dataclass
class _Tally:
    """What there is to say of an object as a whole."""

    stretches: int = 0
    suspicious: int = 0
    frames: int = 0
    no_score: float = 0.0

    def is_doubtful(self) -> bool:
        return 2 * self.suspicious >= self.stretches or self.no_score > (1 - _LOW_SCORE) * self.frames


def review(
    video: VideoResults, sources: Sources | None, watch: Callable[[int], None] = lambda _: None
) -> list[ReviewEntry]:
    """The frames of a video a person should look at, see `Reviewed`. Arguments and errors as of `look_through`."""
    return review_whole(video, sources, watch).entries


def review_whole(
    video: VideoResults, sources: Sources | None, watch: Callable[[int], None] = lambda _: None
) -> Reviewed:
    """Look through a video once; memory does not grow with its length. Arguments and errors as of `look_through`."""
    tallies: dict[int, _Tally] = defaultdict(_Tally)
    kept: list[tuple[float, int, int, Doubt]] = []
    for doubt in _worst_of_stretches(doubts(look_through(video, sources, watch)), tallies):
        tally = tallies[doubt.signs.obj_id]
        tally.stretches += 1
        tally.suspicious += doubt.suspicion >= _VERY
        _keep(kept, doubt)
    found = [_entry(video.name, doubt) for *_, doubt in kept]
    return Reviewed(
        sorted(found, key=lambda one: (-one.suspicion, one.source_frame, one.obj_id)),
        [obj_id for obj_id, tally in sorted(tallies.items()) if tally.is_doubtful()],
    )


def _worst_of_stretches(every: Iterable[Doubt], tallies: dict[int, _Tally]) -> Iterator[Doubt]:
    """Of each object and stretch the worst; all frames are counted."""
    worst: dict[tuple[int, int], Doubt] = {}
    for doubt in every:
        one = doubt.signs
        tallies[one.obj_id].frames += 1
        tallies[one.obj_id].no_score += one.signs.get("score", 0.0)
        stretch = int(one.time_s / _STRETCH_S)
        for old in [key for key in worst if key[0] == one.obj_id and key[1] < stretch]:
            yield worst.pop(old)
        key = (one.obj_id, stretch)
        if key not in worst or doubt.suspicion > worst[key].suspicion:
            worst[key] = doubt
    yield from worst.values()


def _keep(kept: list[tuple[float, int, int, Doubt]], doubt: Doubt) -> None:
    if doubt.suspicion < _LEAST:
        return
    entry = (doubt.suspicion, -doubt.signs.source_frame, -doubt.signs.obj_id, doubt)
    if len(kept) < _MOST:
        heappush(kept, entry)
    else:
        heappushpop(kept, entry)


def review_picture(name: str, id_map: IdMap, ids: Iterable[int], image: RGB) -> Iterator[ReviewEntry]:
    """The objects of a single picture [H, W, 3] that are suspicious, in the order of `ids`.

    Args:
        name: of the picture.
        id_map: [H, W].
        ids: those in it that are objects.
        image: the picture.
    """
    objects = []
    for one in ids:
        mask = rle.encode(np.asarray(id_map == one, np.bool_))
        objects.append(SeenObject(one, OBJECT, rle.box_xyxy(mask), rle=mask))
    for signs in SignTracker().of(SeenFrame(0, 0.0, tuple(objects)), image):
        if signs.mean >= _LEAST:
            yield _entry(name, Doubt(signs, signs.mean))


def worst_first(entries: Iterable[ReviewEntry]) -> list[ReviewEntry]:
    """The most suspicious entries of a whole run, at most 500."""
    return sorted(entries, key=lambda one: (-one.suspicion, one.video, one.source_frame, one.obj_id))[:_MOST]


def _entry(video: str, doubt: Doubt) -> ReviewEntry:
    one = doubt.signs
    strongest = sorted(one.signs, key=lambda name: -one.signs[name])
    telling = [name for name in strongest[:_MOST_WORDS] if one.signs[name] >= _TELLING] or strongest[:1]
    return ReviewEntry(
        video=video,
        obj_id=one.name,
        label=one.label,
        source_frame=one.source_frame,
        time_s=round(one.time_s, 3),
        suspicion=round(doubt.suspicion, 3),
        why=", ".join(WORDS[name] for name in telling),
        signs={name: round(value, 3) for name, value in one.signs.items()},
    )
