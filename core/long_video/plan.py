"""What is followed where: windows of a long video, and the frames on which each object is plausible."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from core.formats.sparse_annotations import AnnotatedObject, SparsePrompt
from core.video.index import FrameIndex

Direction = Literal["forward", "backward"]
Run = tuple[int, int]
"""First and last frame, both included, between which an object is followed."""
_LONGEST_SEGMENT = 4
_ON_TIME_S = 1e-6  # what sums of times may be off by


@dataclass(frozen=True)
class Window:
    """Frames `first` to `end` (not included) of a video."""

    index: int
    first: int
    end: int


def cut(frames: int, length: int, overlap: int) -> list[Window]:
    """Windows of `length` frames, each sharing `overlap` with the one before; the last ends with the video.

    Raises:
        ValueError: the overlap is not shorter than the window.
    """
    if not 0 <= overlap < length:
        raise ValueError(f"an overlap of {overlap} frames in windows of {length}")
    windows = [Window(0, 0, min(length, frames))]
    while windows[-1].end < frames:
        first = windows[-1].end - overlap
        windows.append(Window(len(windows), first, min(first + length, frames)))
    return windows


def carried(windows: Sequence[Window]) -> list[Window]:
    """The same windows, each but the last ending where the next begins: for going through them in order."""
    ends = [after.first for after in windows[1:]] + [windows[-1].end]
    return [Window(window.index, window.first, end) for window, end in zip(windows, ends, strict=True)]


def segments(windows: Sequence[Window]) -> list[list[Window]]:
    """Windows in segments of up to four, at least two where that is possible: each segment is carried through, and
    overlaps only with the next. The split depends on nothing but the windows.
    """
    count = max(min(2, len(windows)), -(-len(windows) // _LONGEST_SEGMENT))
    edges = [round(turn * len(windows) / count) for turn in range(count + 1)]
    return [carried(windows[first:end]) for first, end in pairwise(edges)]


class Seed(BaseModel):
    """Where following an object begins or is set right: an annotation, or what another window found.

    Attributes:
        shown: the prompt.
        since: frame of the annotation all this goes back to.
        since_s: its time.
        score: how sure the segmenter was of what it found; 1 for an annotation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    shown: SparsePrompt
    since: int
    since_s: float
    score: float = 1.0


class Followed(BaseModel):
    """An object in one window and direction.

    Attributes:
        obj_id: number of the object in this video.
        name: what it is called.
        seeds: in this window, ascending.
        runs: frames of this window between which it is followed, ascending.
        begins: annotated frames of this window on which a run begins, in the direction of time: whatever was known of
            the object before counts no more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    obj_id: int
    name: str
    seeds: tuple[Seed, ...]
    runs: tuple[Run, ...]
    begins: tuple[int, ...]


@dataclass(frozen=True)
class Plausible:
    """An object with the spans of frames in which it may be, and its annotations, over the whole video."""

    obj_id: int
    name: str
    spans: tuple[Run, ...]
    seeds: tuple[Seed, ...]

    def runs(self, direction: Direction) -> list[Run]:
        """From the first annotation of each span to its end; backward, from its start to the last annotation."""
        runs = []
        for first, last in self.spans:
            frames = [seed.shown.frame for seed in self.seeds if first <= seed.shown.frame <= last]
            if frames:
                runs.append((frames[0], last) if direction == "forward" else (first, frames[-1]))
        return runs

    def within(self, window: Window, direction: Direction) -> Followed | None:
        """The part of it in a window; None where there is none."""
        runs = tuple(
            clipped(run, window) for run in self.runs(direction) if run[0] < window.end and run[1] >= window.first
        )
        if not runs:
            return None
        seeds = tuple(seed for seed in self.seeds if window.first <= seed.shown.frame < window.end)
        starts = (run[0 if direction == "forward" else 1] for run in self.runs(direction))
        begins = tuple(frame for frame in starts if window.first <= frame < window.end)
        return Followed(obj_id=self.obj_id, name=self.name, seeds=seeds, runs=runs, begins=begins)


def clipped(run: Run, window: Window) -> Run:
    """The part of a run that lies in a window."""
    return max(run[0], window.first), min(run[1], window.end - 1)


def plausible(one: AnnotatedObject, obj_id: int, index: FrameIndex, margin_s: float) -> Plausible:
    """Where an object may be: from `margin_s` before to `margin_s` after each of its annotations and segments, but for
    where it is gone."""
    times = [(float(index.times_s[prompt.frame]),) * 2 for prompt in one.prompts]
    spans: list[tuple[float, float]] = []
    for start, end in sorted([*times, *(segment for segment in one.segments if segment[0] <= segment[1])]):
        if spans and start - margin_s <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end + margin_s))
        else:
            spans.append((start - margin_s, end + margin_s))
    edges = [
        (np.searchsorted(index.times_s, start - _ON_TIME_S), np.searchsorted(index.times_s, end + _ON_TIME_S) - 1)
        for start, end in spans
    ]
    seeds = tuple(
        Seed(shown=prompt, since=prompt.frame, since_s=float(index.times_s[prompt.frame])) for prompt in one.prompts
    )
    runs = [(int(a), int(b)) for a, b in edges if a <= b]
    for frame in one.gone:
        back = next((prompt.frame for prompt in one.prompts if prompt.frame >= frame), len(index))
        runs = [part for run in runs for part in _without(run, frame, back)]
    return Plausible(obj_id, one.name, tuple(runs), seeds)


def _without(run: Run, first: int, end: int) -> Iterator[Run]:
    """What is left of a run without the frames from `first` on and before `end`."""
    if run[0] < first:
        yield run[0], min(run[1], first - 1)
    if run[1] >= end:
        yield max(run[0], end), run[1]


def frames_to_follow(window: Window, interval: int, objects: Iterable[Followed], also: Sequence[int] = ()) -> list[int]:
    """Frames to process, ascending: of those on which an object is followed the ones on the grid (multiples of
    `interval`), those with an annotation, and those of `also`."""
    covered = np.zeros(window.end - window.first, np.bool_)
    wanted = np.arange(window.first, window.end) % interval == 0
    for frame in also:
        wanted[frame - window.first] = True
    for one in objects:
        for first, last in one.runs:
            covered[first - window.first : last + 1 - window.first] = True
        for seed in one.seeds:
            wanted[seed.shown.frame - window.first] = True
    return [int(frame) + window.first for frame in np.flatnonzero(covered & wanted)]
