"""Joining segments that were followed apart: which objects are the same, and how sure that is.

Segments overlap; in the overlap both have masks of their objects. Objects are paired one to one by mean mask IoU
(Kuhn, 1955); those that a segment lost are remembered by their appearance.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from core.formats.window_shard import ShardObject, read_facts
from core.long_video.merge import Identity, Shard, best_sightings, merged_rows
from core.masks import rle
from core.masks.appearance import Histogram, histogram_overlap
from core.masks.assignment import assign

SAME_IOU = 0.3  # from here on two segments mean the same object
DOUBTFUL_IOU = 0.5  # below, a person should look
RIVAL_MARGIN = 0.15  # a second choice this close makes a link ambiguous
LOOK_ALIKE = 0.6  # from here on a lost object has come again
DOUBTFUL_LIKENESS = 0.7
GAP_SEGMENTS = 3  # segments for which a lost object is remembered


@dataclass(frozen=True)
class OverlapObservations:
    """What one segment has in the overlap with another: by frame, each object's mask."""

    frames: dict[int, dict[int, ShardObject]] = field(default_factory=dict)

    def last(self, obj_id: int) -> int | None:
        """Last frame on which the object is seen."""
        return max((frame for frame, objects in self.frames.items() if obj_id in objects), default=None)

    def first(self, obj_id: int) -> int | None:
        """First frame on which the object is seen."""
        return min((frame for frame, objects in self.frames.items() if obj_id in objects), default=None)

    @property
    def objects(self) -> dict[int, str | None]:
        """Labels of all objects seen, by number, ascending."""
        labels = {obj_id: one.label for objects in self.frames.values() for obj_id, one in objects.items()}
        return dict(sorted(labels.items()))


@dataclass(frozen=True)
class SegmentResolution:
    """What became of a segment's objects: those that came to nothing, and those that turned out to be others."""

    rejected: frozenset[int] = frozenset()
    same_as: Mapping[int, int] = field(default_factory=dict)

    def identify(self, _: Shard, found: ShardObject) -> Identity | None:
        """Under which number an object goes in its segment; None where it came to nothing."""
        if found.obj_id in self.rejected:
            return None
        return -1, self.same_as.get(found.obj_id, found.obj_id)


def resolve_segments(shards: Iterable[Shard]) -> SegmentResolution:
    """The resolutions of all shards of one segment together."""
    facts = [read_facts(shard.folder) for shard in shards]
    rejected = frozenset(obj_id for one in facts for obj_id in one.rejected)
    return SegmentResolution(rejected, {new: old for one in facts for new, old in one.same_as.items()})


def overlap_observations(
    shards: Sequence[Shard], first: int, end: int, known: SegmentResolution
) -> OverlapObservations:
    """What the shards of one segment have on the frames from `first` to before `end`."""
    frames: dict[int, dict[int, ShardObject]] = {}
    for frame, _, rows in merged_rows(shards):
        if frame >= end:
            break
        if frame >= first:
            best = best_sightings(rows, known.identify)
            frames[frame] = {obj_id: sighting.found for (_, obj_id), sighting in best.items()}
    return OverlapObservations(frames)


def overlap_iou(before: OverlapObservations, after: OverlapObservations, both: bool) -> npt.NDArray[np.float64]:
    """Mean mask IoU [N, M] of each object of one segment with each of the next, in the order of their `objects`.

    The mean is over the frames where `both` are seen (NaN: there are none), else over those where either is.
    """
    rows, columns = list(before.objects), list(after.objects)
    total, count = np.zeros((len(rows), len(columns))), np.zeros((len(rows), len(columns)))
    for frame in sorted(before.frames.keys() & after.frames.keys()):
        left, right = before.frames[frame], after.frames[frame]
        here, there = np.isin(rows, list(left))[:, None], np.isin(columns, list(right))[None, :]
        count += (here & there) if both else (here | there)
        if here.any() and there.any():
            iou = rle.iou_matrix(
                [left[i].rle for i in rows if i in left], [right[i].rle for i in columns if i in right]
            )
            total[here & there] += iou.ravel()
    return np.divide(total, count, out=np.full_like(total, np.nan if both else 0.0), where=count > 0)


class Pair(BaseModel):
    """The same object in two segments.

    Attributes:
        kind: as in `Link`.
        segment, later: the two segments.
        window: the last window of the earlier one.
        before, after: its number in either.
        score: mean mask IoU, the segmenter's score, or the similarity of appearance, by kind.
        from_frame, to_frame: where the earlier segment saw it last, and the later one first.
        rival: another object of the later segment, and how well it would have fitted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["overlap", "continued", "gap"]
    segment: int
    later: int
    window: int
    before: int
    after: int
    score: float
    from_frame: int
    to_frame: int
    rival: tuple[int, float] | None = None

    @property
    def ambiguous(self) -> bool:
        """The score is low, or another object fits nearly as well."""
        low = self.score < (DOUBTFUL_LIKENESS if self.kind == "gap" else DOUBTFUL_IOU)
        return low or (self.rival is not None and self.rival[1] > self.score - RIVAL_MARGIN)


@dataclass(frozen=True)
class Border:
    """Where two segments meet: their numbers, and the last window of the first."""

    segment: int
    later: int
    window: int


def pair_known(border: Border, before: OverlapObservations, after: OverlapObservations) -> list[Pair]:
    """Objects whose numbers hold in both segments: how well the two agree about each."""
    iou = overlap_iou(before, after, both=True)
    columns = list(after.objects)
    own = [(row, columns.index(obj_id)) for row, obj_id in enumerate(before.objects) if obj_id in columns]
    return [_pair(border, before, after, iou, row, column) for row, column in own if not np.isnan(iou[row, column])]


def pair_unknown(border: Border, before: OverlapObservations, after: OverlapObservations) -> list[Pair]:
    """Objects numbered by each segment for itself, paired one to one where their labels agree."""
    iou = overlap_iou(before, after, both=False)
    same = np.array([[a == b for b in after.objects.values()] for a in before.objects.values()], np.bool_)
    iou = np.where(same.reshape(iou.shape), iou, 0.0)
    return [_pair(border, before, after, iou, row, column) for row, column in assign(iou, SAME_IOU)]


def _pair(
    border: Border,
    before: OverlapObservations,
    after: OverlapObservations,
    iou: npt.NDArray[np.float64],
    row: int,
    column: int,
) -> Pair:
    rows, columns = list(before.objects), list(after.objects)
    fits = np.nan_to_num(iou[row])
    return Pair(
        kind="overlap",
        segment=border.segment,
        later=border.later,
        window=border.window,
        before=rows[row],
        after=columns[column],
        score=round(float(fits[column]), 4),
        from_frame=before.last(rows[row]) or 0,
        to_frame=after.first(columns[column]) or 0,
        rival=_best_other(columns, fits, column),
    )


def _best_other(ids: Sequence[int], fits: npt.NDArray[np.float64], chosen: int) -> tuple[int, float] | None:
    others = [(obj_id, round(float(fits[n]), 4)) for n, obj_id in enumerate(ids) if n != chosen and fits[n] > 0]
    return max(others, key=lambda one: one[1], default=None)


@dataclass(frozen=True)
class TrackSummary:
    """An object of one segment for the memory over gaps: when it was seen, and what it looked like at the end."""

    label: str | None
    appearance: Histogram
    first: int
    last: int


def pair_over_gaps(
    borders: Sequence[Border], objects: Mapping[int, Mapping[int, TrackSummary]], paired: Iterable[Pair]
) -> list[Pair]:
    """Objects that end in one segment and come again, to the eye, in one of the next few; one to one, in order.

    Args:
        borders: all of the video, in order.
        objects: by segment and number.
        paired: pairs found in the overlaps.
    """
    continued = {(pair.segment, pair.before) for pair in paired}
    continued = {(pair.later, pair.after) for pair in paired}
    lost: list[tuple[Border, int]] = []
    pairs = []
    for border in borders:
        lost = [(left, obj_id) for left, obj_id in lost if border.later - left.segment <= GAP_SEGMENTS]
        here = objects.get(border.segment, {})
        lost += [(border, obj_id) for obj_id in sorted(here) if (border.segment, obj_id) not in continued]
        known = objects.get(border.later, {})
        new = [obj_id for obj_id in sorted(known) if (border.later, obj_id) not in continued]
        old = [objects[left.segment][obj_id] for left, obj_id in lost]
        likeness = np.array([[_likeness(one, known[n]) for n in new] for one in old]).reshape(len(old), len(new))
        found = assign(likeness, LOOK_ALIKE)
        for row, column in found:
            left, obj_id = lost[row]
            pairs.append(
                Pair(
                    kind="gap",
                    segment=left.segment,
                    later=border.later,
                    window=left.window,
                    before=obj_id,
                    after=new[column],
                    score=round(float(likeness[row, column]), 4),
                    from_frame=old[row].last,
                    to_frame=known[new[column]].first,
                    rival=_best_other(new, likeness[row], column),
                )
            )
        again = {row for row, _ in found}
        lost = [one for row, one in enumerate(lost) if row not in again]
    return pairs


def _likeness(old: TrackSummary, new: TrackSummary) -> float:
    return histogram_overlap(old.appearance, new.appearance) if old.label == new.label and old.last < new.first else 0.0
