from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.evaluation.clips import SCENES, render_scene
from core.evaluation.davis import region_similarity
from core.masks.boxes import mask_box
from core.models.classical.segmenter import ClassicalSegmenter
from core.prompts import Prompt


def _boxed(mask: np.ndarray) -> Prompt:
    return Prompt(box=mask_box(mask))


def test_boxes_become_masks_that_follow_their_objects() -> None:
    session = ClassicalSegmenter().start()
    for index, (image, masks) in enumerate(render_scene(SCENES[0])):
        tracked = session.advance(image)
        if index == 0:
            for obj_id, name in enumerate(masks):
                assert region_similarity(session.add(obj_id, _boxed(masks[name])).mask, masks[name]) > 0.85
        elif index == 25:
            for obj_id, name in enumerate(masks):
                assert region_similarity(tracked[obj_id].mask, masks[name]) > 0.8
                assert tracked[obj_id].score > 0.5
            return


def test_adding_and_dropping_one_object_changes_no_other() -> None:
    frames = list(zip(range(12), render_scene(SCENES[0]), strict=False))

    def masks_of_red(disturb: bool) -> list[np.ndarray]:
        session = ClassicalSegmenter().start()
        result = []
        for index, (image, masks) in frames:
            tracked = session.advance(image)
            if index == 0:
                session.add(1, _boxed(masks["red"]))
                session.add(3, _boxed(masks["green"]))
            if disturb and index == 4:
                session.drop(9)
                session.add(3, _boxed(masks["green"]))
            if index:
                result.append(tracked[1].mask)
        return result

    for plain, disturbed in zip(masks_of_red(False), masks_of_red(True), strict=True):
        assert np.array_equal(plain, disturbed)


def test_a_point_is_enough_and_a_mask_is_taken_as_it_is() -> None:
    image, masks = next(iter(render_scene(SCENES[0])))
    session = ClassicalSegmenter().start()
    session.advance(image)
    x0, y0, x1, y1 = mask_box(masks["red"]) or (0, 0, 0, 0)
    by_point = session.add(1, Prompt(points=(((x0 + x1) / 2, (y0 + y1) / 2, True),))).mask
    assert region_similarity(by_point, masks["red"]) > 0.5
    assert np.array_equal(session.add(2, Prompt(mask=masks["blue"])).mask, masks["blue"])


def test_an_object_that_is_gone_has_an_empty_mask() -> None:
    image, masks = next(iter(render_scene(SCENES[0])))
    session = ClassicalSegmenter().start()
    session.advance(image)
    session.add(1, Prompt(mask=np.zeros_like(masks["red"])))
    tracked = session.advance(image)[1]
    assert not tracked.mask.any()
    assert tracked.score == 0


def test_no_prompt_without_an_object() -> None:
    with pytest.raises(ValueError, match="a prompt needs"):
        Prompt(points=((1.0, 1.0, False),))


@pytest.mark.parametrize("step_px", [2, 8, 11, 15])
def test_an_object_that_moves_half_its_width_a_frame_drags_no_background(step_px: int) -> None:
    coarse = np.random.default_rng(5).integers(60, 160, (30, 80)).astype(np.uint8)
    wall = cv2.resize(coarse, (320, 120), interpolation=cv2.INTER_CUBIC)[..., None].repeat(3, 2)
    session = ClassicalSegmenter().start()
    for index, x in enumerate(range(30, 290, step_px)):
        truth = np.zeros(wall.shape[:2], np.uint8)
        cv2.circle(truth, (x, 60), 13, 1, -1)
        tracked = session.advance(np.where(truth[..., None] == 1, np.array([220, 30, 30], np.uint8), wall))
        if index == 0:
            session.add(1, _boxed(truth == 1))
        else:
            x0, _, x1, _ = mask_box(tracked[1].mask) or (0, 0, 0, 0)
            assert abs((x0 + x1) / 2 - x - 0.5) <= 1.5


def _leaving_and_returning() -> list[tuple[np.ndarray, dict[str, np.ndarray]]]:
    return list(render_scene(SCENES[2], 2))


def test_what_leaves_is_gone_and_found_again_when_it_returns() -> None:
    session = ClassicalSegmenter().start()
    for index, (image, masks) in enumerate(_leaving_and_returning()):
        tracked = session.advance(image)
        if index == 0:
            session.add(1, _boxed(masks["blue"]))
            continue
        in_sight = int(masks["blue"].sum())
        if in_sight == 0:
            assert not tracked[1].mask.any(), index
            assert tracked[1].score == 0
        elif index > 80:  # wholly back in the picture
            assert region_similarity(tracked[1].mask, masks["blue"]) > 0.8, index


def test_a_session_saved_while_an_object_is_gone_finds_it_again(tmp_path: Path) -> None:
    frames = _leaving_and_returning()
    session = ClassicalSegmenter().start()
    for index, (image, masks) in enumerate(frames[:45]):
        tracked = session.advance(image)
        if index == 0:
            session.add(1, _boxed(masks["blue"]))
    assert not tracked[1].mask.any()
    session.save(tmp_path / "session")
    restored = ClassicalSegmenter().restore(tmp_path / "session")
    found = []
    for image, _ in frames[45:85]:
        expected, again = session.advance(image)[1], restored.advance(image)[1]
        assert np.array_equal(expected.mask, again.mask)
        found.append(bool(again.mask.any()))
    assert found[-1]
    assert not found[0]


def test_after_a_cut_nothing_is_carried_over() -> None:
    frames, other = _leaving_and_returning()[:6], [image for image, _ in render_scene(SCENES[1], 1)][:6]
    session = ClassicalSegmenter().start()
    for index, (image, masks) in enumerate(frames):
        session.advance(image)
        if index == 0:
            session.add(1, _boxed(masks["blue"]))
    session.cut()
    assert not any(session.advance(image)[1].mask.any() for image in other)
    session.cut()
    image, masks = frames[0]
    assert region_similarity(session.advance(image)[1].mask, masks["blue"]) > 0.8


def test_a_prompt_takes_its_object_back_from_a_look_alike_that_was_searched_for() -> None:
    image, masks = next(iter(render_scene(SCENES[0])))
    without = image.copy()
    without[masks["red"]] = image[~masks["red"]].mean(axis=0)
    session = ClassicalSegmenter().start()
    session.advance(image)
    session.add(1, _boxed(masks["red"]))
    session.cut()
    assert not session.advance(without)[1].mask.any()
    assert session.advance(image)[1].mask.any()
    session.add(2, _boxed(masks["red"]))
    later = session.advance(image)
    assert not later[1].mask.any()
    assert later[2].mask.any()


@pytest.mark.parametrize("box", [(601.5, 60.0, 603.0, 61.5), (-50.0, -50.0, -10.0, -10.0), (3.0, 3.0, 4.0, 4.0)])
def test_a_prompt_that_shows_nothing_costs_only_its_object(box: tuple[float, float, float, float]) -> None:
    frames = [np.ascontiguousarray(np.tile(image, (3, 3, 1))) for image, _ in islice(render_scene(SCENES[0]), 4)]
    session = ClassicalSegmenter().start()
    for index, image in enumerate(frames):
        tracked = session.advance(image)
        if index == 0:
            session.add(1, Prompt(box=box))
            session.add(2, Prompt(box=(200.0, 150.0, 300.0, 250.0)))
    assert not tracked[1].mask.any()
    assert tracked[2].mask.any()
