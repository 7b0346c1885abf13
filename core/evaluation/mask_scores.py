"""J and F of every object of a video, after its ids were matched with those of the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.errors import RefusedInput
from core.evaluation.davis import Over, contour_accuracy, over_frames
from core.evaluation.identity import Overlaps
from core.evaluation.judging import Judged
from core.masks import rle
from core.masks.assignment import assign

Matching = Literal["optimal", "same"]


@dataclass(frozen=True)
class ObjectScore:
    """An object of the truth.

    Attributes:
        truth_id: its id there.
        found_id: the id in the results that it was matched with; None: none, it is judged against nothing.
        label: its label in the truth.
        j, f: summed up over all judged frames, as in DAVIS; of boxes j over those on which the object is, and no f.
        per_frame: J on each judged frame.
    """

    truth_id: int
    found_id: int | None
    label: str
    j: Over
    f: Over | None
    per_frame: Sequence[float]


def match_ids(frames: Sequence[Overlaps], matching: Matching, name: str) -> dict[int, int]:
    """Which id of the results is which of the truth, for the whole video.

    Args:
        frames: of the video.
        matching: `same`: equal ids belong together. `optimal`: one to one, so that the IoU summed over all frames is
            largest (Kuhn, 1955).
        name: of the video, for messages.

    Returns:
        ids of the results by ids of the truth.

    Raises:
        RefusedInput: no id is in both, where they have to be the same.
    """
    truth_ids = sorted({one for frame in frames for one in frame.truth})
    found_ids = sorted({one for frame in frames for one in frame.found})
    if matching == "same":
        if found_ids and not set(truth_ids) & set(found_ids):
            ids = " in the truth, ".join(", ".join(map(str, some[:6])) for some in (truth_ids, found_ids))
            raise RefusedInput(f"{name}: ids do not match: {ids} in the results; use --match optimal")
        return {one: one for one in truth_ids if one in found_ids}
    together = np.zeros((len(truth_ids), len(found_ids)))
    rows, columns = ({one: place for place, one in enumerate(ids)} for ids in (truth_ids, found_ids))
    for frame in frames:
        if frame.iou.size:
            together[np.ix_([rows[i] for i in frame.truth], [columns[i] for i in frame.found])] += frame.iou
    return {truth_ids[row]: found_ids[column] for row, column in assign(together, 1e-9)} if found_ids else {}


def score_objects(judged: Judged, frames: Sequence[Overlaps], matched: Mapping[int, int]) -> list[ObjectScore]:
    """J and F of every object that is in the truth on a judged frame.

    Args:
        judged: the video.
        frames: its overlaps, of the frames that are judged.
        matched: see `match_ids`.
    """
    ids = sorted({one for frame in frames for one in frame.truth})
    j = {one: [_j(frame, one, matched.get(one)) for frame in frames] for one in ids}
    f = _contours(judged, ids, matched) if judged.masks else {}
    labels = {obj_id: track.label for obj_id, track in judged.truth_census.tracks.items()}
    return [
        ObjectScore(
            one, matched.get(one), labels.get(one, "foreground"),
            over_frames(j[one] if judged.masks else [j[one][place] for place in _there(frames, one, matched)]),
            over_frames(f[one]) if f else None, j[one],
        )
        for one in ids
    ]  # fmt: skip


def _there(frames: Sequence[Overlaps], truth_id: int, matched: Mapping[int, int]) -> list[int]:
    """Places of the frames on which an object is, in the truth or in the results: boxes come and go, and frames without
    them would drown the rest."""
    found_id = matched.get(truth_id)
    return [place for place, one in enumerate(frames) if truth_id in one.truth or found_id in one.found]


def _j(frame: Overlaps, truth_id: int, found_id: int | None) -> float:
    there, here = truth_id in frame.truth, found_id is not None and found_id in frame.found
    if there and here:
        assert found_id is not None
        return float(frame.iou[frame.truth.index(truth_id), frame.found.index(found_id)])
    return float(there == here)


def _contours(judged: Judged, ids: Sequence[int], matched: Mapping[int, int]) -> dict[int, list[float]]:
    shape = (judged.truth.height, judged.truth.width)
    empty = np.zeros(shape, np.bool_)
    values: dict[int, list[float]] = {one: [] for one in ids}
    for truth, found in judged.frames():
        wanted, got = ({o.obj_id: o.rle for o in frame.objects if o.rle is not None} for frame in (truth, found))
        for one in ids:
            right, other = wanted.get(one), got.get(matched.get(one, -1))
            masks = [empty if mask is None else rle.decode(mask) for mask in (other, right)]
            values[one].append(1.0 if right is None and other is None else contour_accuracy(*masks))
    return values
