"""Adapters of the package's image classes, on the real classes with random weights."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sam2.modeling.sam2_base import SAM2Base
from sam2.sam2_image_predictor import SAM2ImagePredictor

from core.models.backoff import in_batches
from core.models.options import GeneratorSettings
from core.models.sam2.image import Sam2MaskGenerator, Sam2PromptedSegmenter
from core.prompts import Prompt
from core.video.frames import RGB

EVERYTHING = GeneratorSettings(
    points_per_side=5, points_per_batch=8, pred_iou_thresh=0.0, stability_score_thresh=0.0, box_nms_thresh=1.0
)
_MASK = np.zeros((90, 160), np.bool_)
_MASK[20:70, 90:140] = True
PROMPTS = [
    Prompt(box=(8.0, 35.0, 28.0, 55.0)),
    Prompt(points=((40.0, 45.0, True),)),
    Prompt(box=(60.0, 5.0, 150.0, 80.0)),
    Prompt(box=(8.0, 35.0, 28.0, 55.0), points=((40.0, 45.0, True), (10.0, 10.0, False))),
    Prompt(mask=_MASK),
    Prompt(mask=~_MASK),
    Prompt(box=(8.0, 35.0, 28.0, 55.0), mask=_MASK),
    Prompt(points=((100.0, 15.0, True),)),
]


def _run_out_of_memory(monkeypatch: pytest.MonkeyPatch, above: int) -> list[int]:
    """Let the package's predictor fail as CUDA does for more than `above` prompts; gives the batch sizes tried."""
    original = SAM2ImagePredictor._predict
    tried: list[int] = []

    def predict(self: Any, coords: Any, labels: Any, boxes: Any = None, *more: Any, **named: Any) -> Any:
        tried.append(len(coords if coords is not None else boxes))
        if tried[-1] > above:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, coords, labels, boxes, *more, **named)

    monkeypatch.setattr(SAM2ImagePredictor, "_predict", predict)
    return tried


def test_masks_of_everything(model: SAM2Base, frames: list[RGB]) -> None:
    found = Sam2MaskGenerator(model, EVERYTHING).generate(frames[0])
    assert len(found) > 10
    for one in found:
        assert one.region.full((90, 160)).sum() == one.region.area > 0
        assert one.region.mask.dtype == np.bool_
        assert 0 <= one.predicted_iou <= 1
        assert 0 <= one.stability <= 1
        assert 0 <= one.point[0] < 160
        assert 0 <= one.point[1] < 90
    whole = EVERYTHING.model_copy(update={"min_mask_region_area": 400})
    for one in Sam2MaskGenerator(model, whole).generate(frames[0]):
        pieces, _, sizes, _ = cv2.connectedComponentsWithStats(
            np.pad(~one.region.mask, 1, constant_values=True).view(np.uint8)
        )
        assert all(sizes[1:, cv2.CC_STAT_AREA] >= 400), f"a hole in one of {pieces} pieces"
    strict = GeneratorSettings(points_per_side=5, pred_iou_thresh=0.999, stability_score_thresh=0.999)
    assert Sam2MaskGenerator(model, strict).generate(frames[0]) == []


def test_out_of_memory_makes_the_generators_batches_smaller(
    model: SAM2Base, frames: list[RGB], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = Sam2MaskGenerator(model, EVERYTHING).generate(frames[0])
    tried = _run_out_of_memory(monkeypatch, above=3)
    generator = Sam2MaskGenerator(model, EVERYTHING)
    found = generator.generate(frames[0])
    assert max(tried) == 8
    assert len(found) == len(expected)
    tried.clear()
    generator.generate(frames[1])
    assert max(tried) <= 3, "what was learnt is kept for the next image"
    _run_out_of_memory(monkeypatch, above=0)
    with pytest.raises(torch.OutOfMemoryError):
        generator.generate(frames[0])


def test_a_mask_for_each_prompt_in_order(model: SAM2Base, frames: list[RGB]) -> None:
    segmenter = Sam2PromptedSegmenter(model)
    together = segmenter.segment(frames[0], PROMPTS)
    assert len(together) == len(PROMPTS)
    for prompt, one in zip(PROMPTS, together, strict=True):
        (alone,) = segmenter.segment(frames[0], [prompt])
        assert one.mask.shape == (90, 160)
        assert one.score == pytest.approx(alone.score, abs=1e-4)
        assert (one.mask != alone.mask).mean() < 0.001
    assert len({one.score for one in together}) == len(PROMPTS)
    assert segmenter.segment(frames[0], []) == []


def test_boxes_give_what_the_package_gives(model: SAM2Base, frames: list[RGB]) -> None:
    predictor = Sam2PromptedSegmenter(model)._predictor
    predictor._bb_feat_sizes = [(32, 32), (16, 16), (8, 8)]
    predictor.set_image(frames[0])
    masks, ious, _ = predictor.predict(box=np.array(PROMPTS[0].box), multimask_output=False)
    (ours,) = Sam2PromptedSegmenter(model).segment(frames[0], PROMPTS[:1])
    np.testing.assert_array_equal(ours.mask, masks[0] > 0)
    assert ours.score == pytest.approx(float(ious[0]))


def test_out_of_memory_makes_batches_of_prompts_smaller(
    model: SAM2Base, frames: list[RGB], monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [Prompt(box=(x, 10.0, x + 40, 60.0)) for x in np.linspace(0, 100, 7).tolist()]
    expected = Sam2PromptedSegmenter(model).segment(frames[0], prompts)
    tried = _run_out_of_memory(monkeypatch, above=2)
    found = Sam2PromptedSegmenter(model).segment(frames[0], prompts)
    assert tried == [7, 4, 2, 2, 2, 1]
    assert [one.score for one in found] == pytest.approx([one.score for one in expected], abs=1e-4)


@given(st.lists(st.integers()), st.integers(1, 9), st.integers(1, 9))
def test_every_item_is_worked_on_once_in_order(items: list[int], most: int, fits: int) -> None:
    def work(batch: Sequence[int]) -> list[int]:
        if len(batch) > fits:
            raise torch.OutOfMemoryError
        return [2 * item for item in batch]

    assert list(in_batches(items, most, work)) == [2 * item for item in items]
