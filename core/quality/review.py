"""From signs of trouble to the frames a person should look at."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from statistics import fmean

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


def review(
    video: VideoResults, sources: Sources | None, watch: Callable[[int], None] = lambda _: None
) -> list[ReviewEntry]:
    """The frames of a video a person should look at, worst first: of each object and two seconds the worst one.

    At most 500, and none that is hardly suspicious. Arguments and errors as of `look_through`.
    """
    worst: dict[tuple[int, int], Doubt] = {}
    kept: list[tuple[float, int, int, Doubt]] = []
    for doubt in doubts(look_through(video, sources, watch)):
        stretch = int(doubt.signs.time_s / _STRETCH_S)
        for old in [key for key in worst if key[0] == doubt.signs.obj_id and key[1] < stretch]:
            _keep(kept, worst.pop(old))
        key = (doubt.signs.obj_id, stretch)
        if key not in worst or doubt.suspicion > worst[key].suspicion:
            worst[key] = doubt
    for doubt in worst.values():
        _keep(kept, doubt)
    found = [_entry(video.name, doubt) for *_, doubt in kept]
    return sorted(found, key=lambda one: (-one.suspicion, one.source_frame, one.obj_id))


def doubtful_objects(video: VideoResults, entries: Iterable[ReviewEntry]) -> list[int]:
    """Ids of the objects of a video that are likely wrong for most of their time.

    Their mean score is low, or half of their stretches of two seconds, or more, have a frame that is very suspicious.

    Args:
        video: what was found.
        entries: what `review` made of it.
    """
    seen: dict[int, tuple[list[float], set[int]]] = {}
    names: dict[int, str] = {}
    for frame in video.read():
        for one in frame.objects:
            scores, stretches = seen.setdefault(one.obj_id, ([], set()))
            stretches.add(int(frame.time_s / _STRETCH_S))
            names[one.obj_id] = one.name or str(one.obj_id)
            if one.score is not None:
                scores.append(one.score)
    suspicious = Counter(one.obj_id for one in entries if one.suspicion >= _VERY)
    return [
        obj_id
        for obj_id, (scores, stretches) in sorted(seen.items())
        if (scores and fmean(scores) < _LOW_SCORE) or 2 * suspicious[names[obj_id]] >= len(stretches)
    ]


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
