"""Identity over time: how often tracks keep, swap and lose who they are, by trackeval.

Bernardin and Stiefelhagen 2008 (CLEAR), Ristani et al. 2016 (IDF1), Luiten et al. 2021 (HOTA).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from trackeval.metrics import CLEAR, HOTA, Identity

_QUIET = {"PRINT_CONFIG": False}


@dataclass(frozen=True, eq=False)
class Overlaps:
    """What is on a frame: ids of the truth [N] and of the result [M], and how much they overlap (IoU) [N, M]."""

    truth: Sequence[int]
    found: Sequence[int]
    iou: npt.NDArray[np.float64]


@dataclass(frozen=True)
class IdentityScores:
    """How well objects are found and who they are is kept. Shares are 0..1; MOTA can be below 0.

    Attributes:
        hota, det_a, ass_a: HOTA and its two parts, means over IoU 0.05 … 0.95.
        idf1: at IoU 0.5, as are the rest.
        mota: 1 less misses, false sightings and switches, each as a share of the truth.
        switches: number of times an object goes on under another id.
        recall, precision: of single sightings.
    """

    hota: float
    det_a: float
    ass_a: float
    idf1: float
    mota: float
    switches: int
    recall: float
    precision: float


def score_identity(sequences: Mapping[str, Sequence[Overlaps]]) -> tuple[dict[str, IdentityScores], IdentityScores]:
    """The scores of each sequence, and of all together (trackeval's combination, not the mean).

    Args:
        sequences: frames by the name of the sequence; at least one.
    """
    metrics = (HOTA(_QUIET), CLEAR(_QUIET), Identity(_QUIET))
    raw: dict[str, list[dict[str, Any]]] = {}
    for name, frames in sequences.items():
        data = _data(frames)
        raw[name] = [metric.eval_sequence(data) for metric in metrics]
    together = [
        metric.combine_sequences({name: results[place] for name, results in raw.items()})
        for place, metric in enumerate(metrics)
    ]
    return {name: _scores(results) for name, results in raw.items()}, _scores(together)


def _scores(results: Sequence[dict[str, Any]]) -> IdentityScores:
    hota, clear, identity = results
    return IdentityScores(
        hota=float(np.mean(hota["HOTA"])),
        det_a=float(np.mean(hota["DetA"])),
        ass_a=float(np.mean(hota["AssA"])),
        idf1=float(identity["IDF1"]),
        mota=float(clear["MOTA"]),
        switches=int(clear["IDSW"]),
        recall=float(clear["CLR_Re"]),
        precision=float(clear["CLR_Pr"]),
    )


def _data(frames: Sequence[Overlaps]) -> dict[str, Any]:
    """What trackeval's metrics take: ids numbered from 0 without gaps."""
    truth_ids, found_ids = _numbered([f.truth for f in frames]), _numbered([f.found for f in frames])
    return {
        "gt_ids": [np.array([truth_ids[one] for one in frame.truth], int) for frame in frames],
        "tracker_ids": [np.array([found_ids[one] for one in frame.found], int) for frame in frames],
        "similarity_scores": [frame.iou for frame in frames],
        "num_gt_ids": len(truth_ids),
        "num_tracker_ids": len(found_ids),
        "num_gt_dets": sum(len(frame.truth) for frame in frames),
        "num_tracker_dets": sum(len(frame.found) for frame in frames),
        "num_timesteps": len(frames),
    }


def _numbered(frames: Sequence[Sequence[int]]) -> dict[int, int]:
    return {one: number for number, one in enumerate(sorted({one for frame in frames for one in frame}))}
