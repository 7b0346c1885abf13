from pathlib import Path

import numpy as np
import pytest

from core.errors import RefusedInput
from core.evaluation.clips import SCENES, render_scene
from core.masks.boxes import iou_matrix, mask_box
from core.models.classical.detector import PEOPLE_THRESHOLD, ClassicalDetector
from core.models.classical.words import not_understood, targets
from core.prompts import Trust
from core.video.source import open_video


@pytest.mark.parametrize("prompt", ["car", "a dog. person", "red and blue thing", "elephant"])
def test_a_prompt_it_cannot_serve_is_refused_with_what_it_can(prompt: str) -> None:
    with pytest.raises(RefusedInput, match=r"person, face, moving object, or a colour .*weights get grounding-dino"):
        ClassicalDetector().start(prompt)


@pytest.mark.parametrize(
    ("prompt", "sought"),
    [
        ("red elephant", {"red": "red"}),
        ("The red thing. red ball", {"red": "the red thing"}),
        ("woman", {"person": "person"}),
        ("people. red shirt person", {"person": "people"}),
        ("yellow face. moving car", {"face": "face", "moving object": "moving object"}),
    ],
)
def test_a_label_holds_no_word_that_was_not_looked_for(prompt: str, sought: dict[str, str]) -> None:
    assert targets(prompt) == sought


def test_what_was_not_understood_is_said() -> None:
    assert not_understood("red thing. the person") == []
    (said,) = not_understood("red. red elephant")
    assert "'red elephant'" in said
    assert "looks for 'red'" in said


def test_colours_are_found_where_they_are() -> None:
    image, masks = next(iter(render_scene(SCENES[0])))
    found = {d.label: d for d in ClassicalDetector().start("red object. blue thing. green").detect(image)}
    for label, name in (("red object", "red"), ("blue thing", "blue"), ("green", "green")):
        assert iou_matrix([found[label].box], [mask_box(masks[name]) or ()])[0, 0] > 0.8
        assert found[label].score is None, "how sure it is is not known"
    assert len(found) == 3


def test_what_moves_is_found_though_the_camera_moves_too() -> None:
    session = ClassicalDetector().start("moving object")
    frames = render_scene(SCENES[0])
    image, _ = next(frames)
    assert session.detect(image) == []
    for _ in range(3):
        image, masks = next(frames)
    boxes = [d.box for d in session.detect(image)]
    fast = [mask_box(masks[name]) or () for name in ("red", "blue")]
    assert (iou_matrix(fast, boxes).max(axis=1) > 0.3).all()
    assert len(boxes) <= 4


def test_people_on_real_video(shared_data: Path) -> None:
    truth: dict[int, list[tuple[float, float, float, float]]] = {}
    for line in (shared_data / "mot15_adl_rundle_6" / "gt.txt").read_text().splitlines():
        number, _, x, y, width, height = (float(v) for v in line.split(",")[:6])
        truth.setdefault(int(number) - 1, []).append((x, y, x + width, y + height))
    session = ClassicalDetector().start("person")
    right = found = 0
    with open_video(shared_data / "mot15_adl_rundle_6" / "video.mp4") as video:
        for frame in video.frames():
            if frame.source_frame % 50 == 0:
                boxes = [
                    d.box for d in session.detect(frame.image) if d.score is not None and d.score >= PEOPLE_THRESHOLD
                ]
                right += int((iou_matrix(boxes, truth[frame.source_frame]).max(axis=1, initial=0) > 0.4).sum())
                found += len(boxes)
    assert found > 10
    assert right / found > 0.85


def test_an_empty_picture_has_nothing() -> None:
    blank = np.full((120, 160, 3), 128, np.uint8)
    assert ClassicalDetector().start("person. face. red. moving object").detect(blank) == []


@pytest.mark.parametrize("size", [(40, 2000), (2, 300), (1, 1), (20, 20)])
def test_pictures_smaller_than_a_person_have_none(size: tuple[int, int]) -> None:
    assert ClassicalDetector().start("person").detect(np.zeros((*size, 3), np.uint8)) == []


def test_a_prompt_without_a_word_is_refused() -> None:
    with pytest.raises(RefusedInput):
        ClassicalDetector().start(" . ")


def test_people_are_trusted_less_than_what_else_is_looked_for() -> None:
    session = ClassicalDetector(0.75).start("the person. red")
    assert session.trust_of("the person").min_score == 0.75
    assert session.trust_of("red") == Trust()
