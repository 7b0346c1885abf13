"""Average precision of single sightings, by pycocotools (Lin et al., ECCV 2014)."""

import io
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from core.evaluation.judging import Both
from core.formats.exchange.coco import annotation


@dataclass(frozen=True)
class Precision:
    """COCO's summary: mean over IoU 0.50 … 0.95, at 0.50, at 0.75, and the recall with 100 sightings a frame."""

    ap: float
    ap50: float
    ap75: float
    ar100: float


def average_precision(frames: Iterable[Both], masks: bool, by_label: bool) -> Precision:
    """Judge every sighting by itself, the surest first; those without a score count as sure.

    Args:
        frames: of all videos, truth and results.
        masks: by masks; else by boxes.
        by_label: mean over labels; else all objects are of one kind.
    """
    labels: dict[str, int] = {}
    sides: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    images = []
    for number, both in enumerate(frames, 1):
        masked = next((one.rle["size"] for frame in both for one in frame.objects if one.rle is not None), [1, 1])
        images.append({"id": number, "height": masked[0], "width": masked[1]})
        for side, frame in zip(sides, both, strict=True):
            for one in frame.objects:
                told = annotation(one, "mask" if masks else "box")
                told |= {"id": len(side) + 1, "image_id": number, "score": 1.0 if one.score is None else one.score}
                side.append({**told, "category_id": labels.setdefault(one.label, len(labels) + 1)})
    categories = [{"id": number, "name": label} for label, number in labels.items()]
    with redirect_stdout(io.StringIO()):
        truth, found = (_index(images, side, categories) for side in sides)
        judge = COCOeval(truth, found, "segm" if masks else "bbox")
        judge.params.useCats = int(by_label)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return Precision(*(max(0.0, float(judge.stats[place])) for place in (0, 1, 2, 8)))


def _index(
    images: Sequence[dict[str, Any]], side: Sequence[dict[str, Any]], categories: Sequence[dict[str, Any]]
) -> COCO:
    index = COCO()
    index.dataset = {"images": list(images), "annotations": list(side), "categories": list(categories)}
    index.createIndex()
    return index
