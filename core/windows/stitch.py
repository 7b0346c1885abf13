"""Joining windows that were followed apart: which objects are the same, how sure that is, and what has to go on.

Windows overlap; in the overlap both tell where their objects are. Objects are paired one to one by mean mask IoU
(Kuhn, 1955); those that a window lost are remembered by their looks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from core.formats.window_shard import ShardObject
from core.masks import rle
from core.tracking.appearance import Appearance, similarity
from core.tracking.association import assign
from core.windows.merge import Identity, Shard, best_sightings, merged_rows
from core.windows.plan import Window

SAME_IOU = 0.3  # from here on two windows mean the same object
DOUBTFUL_IOU = 0.5  # below, a person should look
RIVAL_MARGIN = 0.15  # a second choice this close makes a link ambiguous
LOOK_ALIKE = 0.6
GAP_WINDOWS = 3  # windows for which a lost object is remembered


@dataclass(frozen=True)
class Seen:
    """What one window tells of the overlap with another: by frame, each object's mask."""

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


def seen_between(shards: Sequence[Shard], first: int, end: int, dropped: frozenset[int] = frozenset()) -> Seen:
    """What the shards of one window tell of the frames from `first` to before `end`."""

    def identify(_: Shard, found: ShardObject) -> Identity | None:
        return None if found.obj_id in dropped else (-1, found.obj_id)

    frames: dict[int, dict[int, ShardObject]] = {}
    for frame, _, rows in merged_rows(shards):
        if frame >= end:
            break
        if frame >= first:
            best = best_sightings(rows, identify)
            frames[frame] = {obj_id: sighting.found for (_, obj_id), sighting in best.items()}
    return Seen(frames)


def overlap_iou(before: Seen, after: Seen) -> npt.NDArray[np.float64]:
    """Mean mask IoU [N, M] of each object of one window with each of the next, over the frames where both see
    something of the pair; N and M in the order of `Seen.objects`."""
    rows, columns = list(before.objects), list(after.objects)
    total, count = np.zeros((len(rows), len(columns))), np.zeros((len(rows), len(columns)))
    for frame in sorted(before.frames.keys() & after.frames.keys()):
        left, right = before.frames[frame], after.frames[frame]
        here, there = np.isin(rows, list(left)), np.isin(columns, list(right))
        count += here[:, None] | there[None, :]
        if here.any() and there.any():
            iou = rle.iou_matrix(
                [left[i].rle for i in rows if i in left], [right[i].rle for i in columns if i in right]
            )
            total[np.ix_(here, there)] += iou
    return np.divide(total, count, out=np.zeros_like(total), where=count > 0)


class Pair(BaseModel):
    """The same object in two windows.

    Attributes:
        window, later: the two windows.
        before, after: its number in either.
        score: mean mask IoU, or similarity of looks for a gap.
        from_frame, to_frame: where the earlier window saw it last, and the later one first.
        rival: another object of the later window, and how well it would have fitted.
        gap: it was lost in between.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    window: int
    later: int
    before: int
    after: int
    score: float
    from_frame: int
    to_frame: int
    rival: tuple[int, float] | None
    gap: bool = False

    @property
    def ambiguous(self) -> bool:
        """The score is low, or another object fits nearly as well."""
        low = self.score < (LOOK_ALIKE + 0.1 if self.gap else DOUBTFUL_IOU)
        return low or (self.rival is not None and self.rival[1] > self.score - RIVAL_MARGIN)


def pair_known(window: Window, later: Window, before: Seen, after: Seen) -> list[Pair]:
    """Objects whose numbers hold in both windows: how well the two windows agree about each."""
    iou = overlap_iou(before, after)
    columns = list(after.objects)
    pairs = []
    for row, obj_id in enumerate(before.objects):
        if obj_id in columns:
            pairs.append(_pair(window, later, before, after, iou, row, columns.index(obj_id)))
    return pairs


def pair_unknown(window: Window, later: Window, before: Seen, after: Seen) -> list[Pair]:
    """Objects numbered by each window for itself, paired one to one where their labels agree."""
    iou = overlap_iou(before, after)
    same = np.array([[a == b for b in after.objects.values()] for a in before.objects.values()], np.bool_)
    iou = np.where(same.reshape(iou.shape), iou, 0.0)
    return [_pair(window, later, before, after, iou, row, column) for row, column in assign(iou, SAME_IOU)]


def _pair(
    window: Window, later: Window, before: Seen, after: Seen, iou: npt.NDArray[np.float64], row: int, column: int
) -> Pair:
    rows, columns = list(before.objects), list(after.objects)
    others = np.delete(np.arange(len(columns)), column)
    rival = max(((columns[o], float(iou[row, o])) for o in others), key=lambda one: one[1], default=None)
    return Pair(
        window=window.index,
        later=later.index,
        before=rows[row],
        after=columns[column],
        score=round(float(iou[row, column]), 4),
        from_frame=before.last(rows[row]) or 0,
        to_frame=after.first(columns[column]) or 0,
        rival=None if rival is None or rival[1] <= 0 else (rival[0], round(rival[1], 4)),
    )


@dataclass(frozen=True)
class Known:
    """An object of one window for the memory over gaps: when it was seen, and what it looked like at the end."""

    label: str | None
    looks: Appearance
    first: int
    last: int


def pair_over_gaps(
    windows: Sequence[Window], objects: Mapping[int, Mapping[int, Known]], paired: Iterable[Pair]
) -> list[Pair]:
    """Objects that end in one window and come again, to the eye, in one of the next few; one to one, windows in order.

    Args:
        windows: in order.
        objects: by window and number.
        paired: what the overlaps have told.
    """
    going_on = {(pair.window, pair.before) for pair in paired}
    continued = {(pair.later, pair.after) for pair in paired}
    lost: list[tuple[int, int]] = []
    pairs = []
    for window in windows:
        lost = [(index, obj_id) for index, obj_id in lost if window.index - index <= GAP_WINDOWS]
        known = objects.get(window.index, {})
        new = [obj_id for obj_id in sorted(known) if (window.index, obj_id) not in continued]
        likeness = np.array(
            [[_likeness(objects[index][old], known[obj_id]) for obj_id in new] for index, old in lost], np.float64
        ).reshape(len(lost), len(new))
        found = assign(likeness, LOOK_ALIKE)
        for row, column in found:
            index, old = lost[row]
            rivals = [(new[c], float(likeness[row, c])) for c in range(len(new)) if c != column]
            rival = max(rivals, key=lambda one: one[1], default=None)
            pairs.append(
                Pair(
                    window=index,
                    later=window.index,
                    before=old,
                    after=new[column],
                    score=round(float(likeness[row, column]), 4),
                    from_frame=objects[index][old].last,
                    to_frame=known[new[column]].first,
                    rival=None if rival is None or rival[1] <= 0 else (rival[0], round(rival[1], 4)),
                    gap=True,
                )
            )
        again = {row for row, _ in found}
        lost = [one for row, one in enumerate(lost) if row not in again]
        lost += [(window.index, obj_id) for obj_id in sorted(known) if (window.index, obj_id) not in going_on]
    return pairs


def _likeness(old: Known, new: Known) -> float:
    return similarity(old.looks, new.looks) if old.label == new.label and old.last < new.first else 0.0
