"""Choosing what of results is passed on: labels, scores, parts of a data set."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from core.errors import RefusedInput
from core.formats.exchange.model import Ignored, SeenFrame, SeenObject, VideoResults
from core.masks import rle

PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Choice:
    """What of results is passed on.

    Attributes:
        labels: new labels by old ones; an empty new one leaves the object out; labels that are not named stay.
        min_score: objects on a frame with a lower score are left out there; those without a score stay.
        seen: old labels that came by.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    min_score: float = 0.0
    seen: set[str] = field(default_factory=set)

    def of(self, video: VideoResults) -> VideoResults:
        """A video with the objects that are chosen; those with an empty mask are never: they are not there."""

        def read() -> Iterator[SeenFrame]:
            for frame in video.read():
                objects = tuple(one for one in map(self._chosen, frame.objects) if one is not None)
                ignored = tuple(one for one in map(self._relabelled, frame.ignored) if one is not None)
                yield replace(frame, objects=objects, ignored=ignored)

        return video.with_frames(read)

    def _chosen(self, one: SeenObject) -> SeenObject | None:
        self.seen.add(one.label)
        label = self.labels.get(one.label, one.label)
        unsure = one.score is not None and one.score < self.min_score
        if not label or unsure or (one.rle is not None and rle.area(one.rle) == 0):
            return None
        return one if label == one.label else replace(one, label=label)

    def _relabelled(self, one: Ignored) -> Ignored | None:
        self.seen.add(one.label)
        label = self.labels.get(one.label, one.label)
        return replace(one, label=label) if label else None

    def check(self) -> None:
        """Raises `RefusedInput` for a label that never came by, once all frames have been read."""
        unknown = sorted(set(self.labels) - self.seen)
        if unknown:
            there = ", ".join(sorted(self.seen)[:10]) or "none"
            raise RefusedInput.of("labels", ", ".join(unknown), f"labels of the results: {there}")


def split(videos: Sequence[VideoResults], shares: Sequence[float]) -> dict[str, list[VideoResults]]:
    """Deal videos out to `train`, `val` and `test`, never one to two of them: frames of a video are much alike.

    A video too few, and each is cut into stretches of time instead, which lie in the order of the parts. The same names
    and shares always give the same parts.

    Args:
        videos: of different names.
        shares: of the parts, summing to 1; parts of share 0 are left out.
    """
    parts = [(part, share) for part, share in zip(PARTS, shares, strict=False) if share > 0]
    if len(parts) < 2:
        return {parts[0][0] if parts else PARTS[0]: list(videos)}
    if len(videos) < len(parts):
        return {part: [_stretch(video, part, parts) for video in videos] for part, _ in parts}
    dealt: dict[str, list[VideoResults]] = {part: [] for part, _ in parts}
    for done, video in enumerate(sorted(videos, key=lambda one: sha256(one.name.encode()).digest()), 1):
        empty = [part for part, _ in parts if not dealt[part]]
        left = len(videos) - done + 1
        behind = {part: share * done - len(dealt[part]) for part, share in parts if left > len(empty) or part in empty}
        dealt[max(behind, key=lambda part: behind[part])].append(video)
    return {part: [video for video in videos if video in own] for part, own in dealt.items()}


def _stretch(video: VideoResults, part: str, parts: Sequence[tuple[str, float]]) -> VideoResults:
    names = [name for name, _ in parts]
    start = sum(share for _, share in parts[: names.index(part)])
    end = start + dict(parts)[part]
    last = names[-1] == part
    total = max(1, sum(1 for _ in video.read()))

    def read() -> Iterator[SeenFrame]:
        for index, frame in enumerate(video.read()):
            if start <= index / total < end or (last and index / total >= end):
                yield frame

    return video.with_frames(read, f"{video.name}_{part}")
