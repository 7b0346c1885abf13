"""Scoring tracked clips against their exact truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.evaluation.clips import truth_file
from core.evaluation.davis import JF, mean_jf, object_jf
from core.formats.exchange import results_lines
from core.formats.exchange.sources import Sources
from core.masks import Mask, rle
from core.masks.assignment import assign
from core.store.safe_load import load_json

_SAME = 0.5


@dataclass(frozen=True)
class ClipScore:
    """A clip's score: mean J and F over its objects, and how many of them went under one id only."""

    objects: int
    jf: JF
    ids_kept: int


def score_clip(results: Path, clip: Path) -> ClipScore:
    """Score the line of `results` (schema *frames*, with masks) that is about `clip`.

    Objects of the truth and of the result are paired one to one by mean IoU; an unpaired object scores against
    empty masks.
    """
    truth: list[dict[str, rle.RLE]] = load_json(truth_file(clip))
    video = next(video for video in results_lines.read(results, Sources()) if video.path == str(clip))
    frames = [
        {"objects": [{"obj_id": one.obj_id, "segmentation": one.rle} for one in frame.objects]}
        for frame in video.read()
    ]
    return score_frames(truth, frames)


def score_frames(truth: Sequence[dict[str, rle.RLE]], frames: Sequence[dict[str, Any]]) -> ClipScore:
    """Score frames of the documented shape against truth by frame and object name. See `score_clip`."""
    found = [{one["obj_id"]: one["segmentation"] for one in frame["objects"]} for frame in frames]
    names = list(truth[0])
    ids = sorted({obj_id for frame in found for obj_id in frame})
    iou = np.zeros((len(truth), len(names), len(ids)))
    for index, (masks, objects) in enumerate(zip(truth, found, strict=True)):
        columns = [ids.index(obj_id) for obj_id in objects]
        iou[index][:, columns] = rle.iou_matrix([masks[name] for name in names], list(objects.values()))
    pairs = dict(assign(iou.mean(axis=0), 1e-6)) if ids else {}
    scores = []
    for row, name in enumerate(names):
        wanted = [rle.decode(masks[name]) for masks in truth]
        empty = np.zeros(wanted[0].shape, np.bool_)
        got: list[Mask] = [empty] * len(wanted)
        if row in pairs:
            got = [rle.decode(frame[ids[pairs[row]]]) if ids[pairs[row]] in frame else empty for frame in found]
        scores.append(object_jf(got, wanted))
    under_one_id = int(((iou > _SAME).any(axis=0).sum(axis=1) == 1).sum()) if ids else 0
    return ClipScore(len(names), mean_jf(scores), under_one_id)
