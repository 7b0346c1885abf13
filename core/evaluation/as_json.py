"""An evaluation as JSON: all figures, by object, by video and of all."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from core.evaluation.evaluate import Evaluation, VideoScore
from core.evaluation.mask_scores import ObjectScore


def as_json(evaluation: Evaluation, parameters: Sequence[tuple[str, str]], notes: Sequence[str] = ()) -> dict[str, Any]:
    """The figures with their names as in the field's papers; what does not apply is null.

    `parameters` and `notes` (what readers left out or took for granted) are for people.
    """
    return {
        "parameters": dict(parameters),
        "how": asdict(evaluation.how),
        "overall": {
            "j_and_f": evaluation.jf,
            "j": _or_none(evaluation.j),
            "f": _or_none(evaluation.f),
            **_identity(evaluation.identity),
            **asdict(evaluation.precision),
        },
        "videos": [_video(one) for one in evaluation.videos],
        "without_results": list(evaluation.without_results),
        "without_truth": list(evaluation.without_truth),
        "notes": list(notes),
    }


def _video(score: VideoScore) -> dict[str, Any]:
    not_looked_at, without_truth = score.judged.unjudged
    return {
        "name": score.judged.name,
        "results": score.judged.found.path or score.judged.found.name,
        "compared": "masks" if score.judged.masks else "boxes",
        "frames_judged": len(score.source_frames),
        "frames_not_looked_at": not_looked_at,
        "frames_without_truth": without_truth,
        "j": _or_none(score.j),
        "f": _or_none(score.f),
        **_identity(score.identity),
        "objects": [_object(one) for one in score.objects],
    }


def _object(score: ObjectScore) -> dict[str, Any]:
    same = {"truth_id": score.truth_id, "found_id": score.found_id, "label": score.label}
    return {**same, "j": asdict(score.j), "f": _or_none(score.f)}


def _identity(scores: Any) -> dict[str, Any]:
    names = ("hota", "det_a", "ass_a", "idf1", "mota", "switches", "recall", "precision")
    return {name: None if scores is None else getattr(scores, name) for name in names}


def _or_none(value: Any) -> dict[str, Any] | None:
    return None if value is None else asdict(value)
