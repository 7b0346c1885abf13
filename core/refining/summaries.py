"""A scene's scores put together, under the names of the documented report and some more."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from core.refining.scores import ImageScore

_NOTABLE = 0.0005  # smaller changes of mIoU are shown as none


class TruthSummary(BaseModel):
    """Means over the images with a truth; `better`, `worse` count those whose mIoU rose or fell by 0.0005 or more."""

    model_config = ConfigDict(frozen=True)
    images: int
    miou_before: float
    miou_after: float
    boundary_f_before: float
    boundary_f_after: float
    better: int
    worse: int


class SceneSummary(BaseModel):
    """One scene, or all. `avg_*` are means over its refined images; the other fields are those of `ImageScore`."""

    model_config = ConfigDict(frozen=True)
    total_images: int
    successful: int
    failed: int
    avg_invalid_ratio: float
    total_sam_matched: int
    total_merged: int
    total_objects: int
    avg_unlabelled_before: float
    avg_unlabelled_after: float
    avg_changed: float
    avg_accepted_ratio: float | None
    avg_mean_iou: float
    avg_boundary_f: float
    ids_lost: int
    truth: TruthSummary | None = None


def summarise(scores: Sequence[ImageScore], total_images: int) -> SceneSummary:
    """Of `total_images` images, `scores` are of those that were refined; means of none are 0."""

    def average(name: str) -> float:
        return float(np.mean([getattr(one, name) for one in scores])) if scores else 0.0

    proposed = [one.accepted_ratio for one in scores if one.accepted_ratio is not None]
    return SceneSummary(
        total_images=total_images,
        successful=len(scores),
        failed=total_images - len(scores),
        avg_invalid_ratio=average("invalid_ratio"),
        total_sam_matched=sum(one.matched for one in scores),
        total_merged=sum(one.merged for one in scores),
        total_objects=sum(one.objects for one in scores),
        avg_unlabelled_before=average("unlabelled_before"),
        avg_unlabelled_after=average("unlabelled_after"),
        avg_changed=average("changed"),
        avg_accepted_ratio=float(np.mean(proposed)) if proposed else None,
        avg_mean_iou=average("mean_iou"),
        avg_boundary_f=average("boundary_f"),
        ids_lost=sum(len(one.lost) for one in scores),
        truth=_against_truth(scores),
    )


def _against_truth(scores: Sequence[ImageScore]) -> TruthSummary | None:
    known = [one.truth for one in scores if one.truth is not None]
    if not known:
        return None
    return TruthSummary(
        images=len(known),
        miou_before=float(np.mean([one.miou_before for one in known])),
        miou_after=float(np.mean([one.miou_after for one in known])),
        boundary_f_before=float(np.mean([one.boundary_f_before for one in known])),
        boundary_f_after=float(np.mean([one.boundary_f_after for one in known])),
        better=sum(one.miou_after - one.miou_before >= _NOTABLE for one in known),
        worse=sum(one.miou_before - one.miou_after >= _NOTABLE for one in known),
    )
