"""What a trained SAM 2 says: masks, presence, scores, corrections, batches, everything in a picture."""

from pathlib import Path

import numpy as np
import pytest
from trained_sam2 import trained_sam2

from benchmarks.tiny_sam2.judging import HELD_OUT_SEED, judge_held_out
from benchmarks.tiny_sam2.scenes import Clip, random_clip
from core.evaluation.davis import region_similarity
from core.masks.boxes import mask_box
from core.models.options import GeneratorSettings
from core.models.sam2.image import Sam2MaskGenerator, Sam2PromptedSegmenter
from core.models.sam2.segmenter import Sam2Segmenter
from core.prompts import Prompt

SIDE = 192


def _clips(count: int, frames: int) -> list[Clip]:
    return [random_clip(np.random.default_rng(3 * HELD_OUT_SEED + seed), frames, SIDE) for seed in range(count)]


@pytest.mark.slow
def test_it_tracks_clips_it_never_saw() -> None:
    quality = judge_held_out(trained_sam2(), clips=4)
    assert quality.jf.jf > 0.65
    assert quality.presence_auroc > 0.85
    assert quality.iou_correlation > 0.4


def test_boxes_and_clicks_give_masks() -> None:
    segmenter = Sam2PromptedSegmenter(trained_sam2())
    ious: dict[str, list[float]] = {"box": [], "click": []}
    for clip in _clips(6, 1):
        for truth in clip.masks[0]:
            box = mask_box(truth)
            if box is None or truth.sum() < 200:
                continue
            y, x = np.argwhere(truth).mean(0)
            prompts = {
                "box": Prompt(box=box),
                "click": Prompt(points=((float(x), float(y), True),)),
            }
            for kind, prompt in prompts.items():
                (found,) = segmenter.segment(clip.images[0], [prompt])
                ious[kind].append(region_similarity(found.mask, truth))
    assert len(ious["box"]) > 8
    assert np.mean(ious["box"]) > 0.75
    assert np.mean(ious["click"]) > 0.4


def test_a_click_on_what_is_wrong_mends_the_mask() -> None:
    before, after = [], []
    for clip in _clips(8, 4):
        session = Sam2Segmenter(trained_sam2(), "trained").start()
        box = mask_box(clip.masks[0, 2])
        if box is None:
            continue
        for index, image in enumerate(clip.images):
            masks = session.advance(image)
            if index == 0:
                session.add(1, Prompt(box=box))
        truth, found = clip.masks[3, 2], masks[1].mask
        wrong = np.argwhere(truth & ~found)
        if len(wrong) < 20:
            continue
        y, x = wrong[len(wrong) // 2]
        corrected = session.add(1, Prompt(points=((float(x), float(y), True),)))
        before.append(region_similarity(found, truth))
        after.append(region_similarity(corrected.mask, truth))
    assert len(before) >= 3
    assert np.mean(after) > np.mean(before)


def test_batched_is_looped_and_a_restored_session_goes_on(tmp_path: Path) -> None:
    (clip,) = _clips(1, 8)
    boxes = {number: box for number in range(3) if (box := mask_box(clip.masks[0, number])) is not None}
    looped, batched = (Sam2Segmenter(trained_sam2(), "trained", batch=most).start() for most in (1, 8))
    for index, image in enumerate(clip.images[:5]):
        for session in (looped, batched):
            masks = session.advance(image)
            if index == 0:
                for number, box in boxes.items():
                    session.add(number, Prompt(box=box))
    looped.save(tmp_path / "session")
    restored = Sam2Segmenter(trained_sam2(), "trained").restore(tmp_path / "session")
    for image in clip.images[5:]:
        expected, together, again = (one.advance(image) for one in (looped, batched, restored))
        for number, tracked in expected.items():
            np.testing.assert_array_equal(again[number].mask, tracked.mask)
            assert np.mean(together[number].mask != tracked.mask) < 1e-3
    assert any(tracked.mask.any() for tracked in expected.values())
    assert len(masks) == len(boxes) > 1


@pytest.mark.slow
def test_the_generator_finds_the_objects_of_a_picture() -> None:
    generator = Sam2MaskGenerator(trained_sam2(), GeneratorSettings(points_per_side=16))
    best = [
        max((region_similarity(one.region.full(truth.shape), truth) for one in found), default=0.0)
        for clip in _clips(5, 1)
        for found in [generator.generate(clip.images[0])]
        for truth in clip.masks[0]
        if truth.sum() > 400
    ]
    assert len(best) > 8
    assert np.mean(best) > 0.35
    assert np.mean(np.array(best) > 0.7) > 0.3
