"""Identity over time from boxes by name: what `core.evaluation.identity` scores."""

from collections.abc import Mapping, Sequence

from core.evaluation.identity import IdentityScores, Overlaps, score_identity
from core.masks import Box
from core.masks.boxes import iou_matrix


def box_identity(truth: Sequence[Mapping[str, Box]], found: Sequence[Mapping[str, Box]]) -> IdentityScores:
    """The scores of boxes by object, frame by frame; the names of the two need not agree."""
    truth_ids, found_ids = (
        {name: number for number, name in enumerate(sorted({name for frame in frames for name in frame}))}
        for frames in (truth, found)
    )
    overlaps = [
        Overlaps(
            [truth_ids[name] for name in t], [found_ids[name] for name in f], iou_matrix([*t.values()], [*f.values()])
        )
        for t, f in zip(truth, found, strict=True)
    ]
    return score_identity({"": overlaps})[1]
