"""Identity over time: how often tracks keep, swap and lose who they are, by trackeval.

Bernardin and Stiefelhagen 2008 (CLEAR), Ristani et al. 2016 (IDF1).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from trackeval.metrics import CLEAR, Identity

from core.masks import Box
from core.masks.boxes import iou_matrix


def identity_metrics(truth: Sequence[Mapping[str, Box]], found: Sequence[Mapping[str, Box]]) -> dict[str, float]:
    """Trackeval's CLEAR and identity metrics at IoU 0.5: `IDF1`, `IDSW`, `MOTA`, `CLR_Re`, `CLR_Pr` and more.

    Args:
        truth: boxes by object, frame by frame.
        found: likewise, the same frames; names need not agree.
    """
    truth_ids = {name: number for number, name in enumerate(sorted({name for frame in truth for name in frame}))}
    found_ids = {name: number for number, name in enumerate(sorted({name for frame in found for name in frame}))}
    data = {
        "gt_ids": [np.array([truth_ids[name] for name in frame], int) for frame in truth],
        "tracker_ids": [np.array([found_ids[name] for name in frame], int) for frame in found],
        "similarity_scores": [
            iou_matrix(list(t.values()), list(f.values())) for t, f in zip(truth, found, strict=True)
        ],
        "num_gt_ids": len(truth_ids),
        "num_tracker_ids": len(found_ids),
        "num_gt_dets": sum(map(len, truth)),
        "num_tracker_dets": sum(map(len, found)),
        "num_timesteps": len(truth),
    }
    quiet = {"PRINT_CONFIG": False}
    return {**CLEAR(quiet).eval_sequence(data), **Identity(quiet).eval_sequence(data)}
