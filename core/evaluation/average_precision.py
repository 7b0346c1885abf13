"""Average precision of single sightings, by pycocotools (Lin et al., ECCV 2014)."""

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from core.evaluation.judging import Both
from core.formats.exchange.coco import annotation, crowd
from core.formats.exchange.material import Shape
from core.formats.exchange.model import Ignored, SeenObject

_AT_ONCE = 200  # frames that pycocotools gets in one go
_MOST_FOUND = 100  # sightings a frame that count
_ANY = "any"


@dataclass(frozen=True)
class Precision:
    """COCO's summary: mean over IoU 0.50 … 0.95, at 0.50, at 0.75, and the recall with 100 sightings a frame."""

    ap: float
    ap50: float
    ap75: float
    ar100: float


@dataclass
class _Matched:
    """What was matched with what, by label and frame: all that precision needs of the frames."""

    frames: int = 0
    by_label: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)


def average_precision(frames: Iterable[Both], masks: bool, by_label: bool) -> Precision:
    """Judge every sighting by itself, the surest first; those without a score count as sure.

    Crowds of the truth count as in pycocotools: any number of sightings in them are left out.

    Args:
        frames: of all videos, truth and results.
        masks: by masks; else by boxes.
        by_label: mean over labels; else all objects are of one kind.
    """
    matched = _Matched()
    rest = iter(frames)
    while part := list(islice(rest, _AT_ONCE)):
        _match(part, masks, by_label, matched)
    return _summary(matched)


def _params(judge: COCOeval) -> Any:
    judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
    judge.params.maxDets = [_MOST_FOUND]
    return judge.params


def _match(frames: Sequence[Both], masks: bool, by_label: bool, matched: _Matched) -> None:
    """Let pycocotools match the sightings of some frames, and keep what precision needs of it."""
    labels: dict[str, int] = {}
    sides: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    images = []
    for number, both in enumerate(frames, matched.frames + 1):
        masked = next((one.rle["size"] for frame in both for one in frame.objects if one.rle is not None), [1, 1])
        images.append({"id": number, "height": masked[0], "width": masked[1]})
        for side, frame in zip(sides, both, strict=True):
            for label, entry in _annotations(frame.objects, frame.ignored, masks):
                ids = {"id": len(side) + 1, "image_id": number}
                side.append(
                    {
                        "score": 1.0,
                        **entry,
                        **ids,
                        "category_id": labels.setdefault(label if by_label else _ANY, len(labels) + 1),
                    }
                )
    categories = [{"id": number, "name": label} for label, number in labels.items()]
    with redirect_stdout(io.StringIO()):
        truth, found = (_index(images, side, categories) for side in sides)
        judge = COCOeval(truth, found, "segm" if masks else "bbox")
        _params(judge).useCats = int(by_label)
        judge.evaluate()
    kinds = list(labels) or [_ANY]
    for place, one in enumerate(judge.evalImgs):
        if one is not None:
            kind = kinds[place // len(images)]
            kept = {"dtScores": one["dtScores"], "gtIgnore": one["gtIgnore"]}
            kept |= {name: np.asarray(one[name]) != 0 for name in ("dtMatches", "dtIgnore")}
            matched.by_label.setdefault(kind, {})[matched.frames + place % len(images)] = kept
    matched.frames += len(images)


def _annotations(
    objects: Sequence[SeenObject], ignored: Sequence[Ignored], masks: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    shape: Shape = "mask" if masks else "box"
    for one in objects:
        yield one.label, annotation(one, shape)
    for mark in ignored:
        if mark.rule == "crowd" and (mark.rle is not None or not masks):  # a box says nothing of pixels
            yield mark.label, crowd(mark, shape)


def _summary(matched: _Matched) -> Precision:
    judge = COCOeval(iouType="bbox")
    params = _params(judge)
    params.imgIds = list(range(matched.frames))
    params.catIds = list(range(1, len(matched.by_label) + 1))
    judge.evalImgs = [own.get(frame) for own in matched.by_label.values() for frame in range(matched.frames)]
    judge._paramsEval = params
    with redirect_stdout(io.StringIO()):
        judge.accumulate()
    precision, recall = judge.eval["precision"], judge.eval["recall"]
    half, three_quarters = (int(np.argmin(np.abs(params.iouThrs - at))) for at in (0.5, 0.75))
    figures = (precision, precision[half], precision[three_quarters], recall)
    return Precision(*(_mean(values) for values in figures))


def _mean(values: "np.ndarray[Any, np.dtype[np.float64]]") -> float:
    """Over what there is: -1 marks labels without truth."""
    there = values[values > -1]
    return float(there.mean()) if there.size else 0.0


def _index(
    images: Sequence[dict[str, Any]], side: Sequence[dict[str, Any]], categories: Sequence[dict[str, Any]]
) -> COCO:
    index = COCO()
    index.dataset = {"images": list(images), "annotations": list(side), "categories": list(categories)}
    index.createIndex()
    return index
