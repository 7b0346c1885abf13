"""The adapters on the real transformers classes, built small with random weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_transformers import save_small_grounding_dino, save_small_sam3

from core.errors import RefusedInput, UnsafeFile
from core.memory import take_memory_notes
from core.models.sam3.backend import check_text
from core.models.sam3.detector import Sam3Detector, load_sam3_detector
from core.models.sam3.segmenter import Sam3Segmenter, load_sam3_segmenter
from core.prompts import Prompt
from core.video.frames import RGB

CPU = torch.device("cpu")
BOX = Prompt(box=(8.0, 35.0, 28.0, 55.0))
POINTS = Prompt(points=((40.0, 45.0, True), (10.0, 10.0, False)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_sam3(tmp_path_factory.mktemp("sam3"))


@pytest.fixture(scope="module")
def detector(folder: Path) -> Sam3Detector:
    loaded = load_sam3_detector(folder, CPU)
    return Sam3Detector(loaded._model, loaded._processor, threshold=0.01)


@pytest.fixture(scope="module")
def segmenter(folder: Path) -> Sam3Segmenter:
    return load_sam3_segmenter(folder, CPU, "small")


def test_words_to_boxes_in_the_picture(detector: Sam3Detector, frames: list[RGB]) -> None:
    found = detector.start("Red ball. PERSON").detect(frames[0])
    assert {one.label for one in found} == {"red ball", "person"}
    for one in found:
        x0, y0, x1, y1 = one.box
        assert 0 <= x0 < x1 <= 160
        assert 0 <= y0 < y1 <= 90
        assert one.score is not None
        assert 0.01 < one.score < 1
    best = max(one.score or 0.0 for one in found)
    assert Sam3Detector(detector._model, detector._processor, best).start("red ball. person").detect(frames[0]) == []
    with pytest.raises(RefusedInput, match="name what to find"):
        detector.start(",")


def test_a_batch_of_frames_gives_what_each_gives_alone(detector: Sam3Detector, frames: list[RGB]) -> None:
    session = detector.start("dog. car")
    images = [frames[0], frames[30], frames[60][:64, :64].copy()]
    for image, batched in zip(images, detector.detect(images, session._texts), strict=True):
        alone = session.detect(image)
        assert len(batched) == len(alone) > 0
        np.testing.assert_allclose(sorted(o.box for o in batched), sorted(o.box for o in alone), atol=0.05)


@pytest.mark.parametrize("prompt", [BOX, POINTS, Prompt(box=BOX.box, points=POINTS.points)])
def test_masks_are_those_of_the_library_which_forgets_nothing(
    segmenter: Sam3Segmenter, frames: list[RGB], prompt: Prompt
) -> None:
    ours = segmenter.start()
    assert ours.advance(frames[0]) == {}
    added = ours.add(1, prompt)
    model, processor = segmenter._model, segmenter._processor
    theirs = processor.init_video_session()
    depth = {
        "input_boxes": prompt.box and [[list(prompt.box)]],
        "input_points": [[[list(point[:2]) for point in prompt.points]]] if prompt.points else None,
        "input_labels": [[[int(point[2]) for point in prompt.points]]] if prompt.points else None,
    }
    processor.add_inputs_to_inference_session(theirs, 0, 1, original_size=(90, 160), **depth)
    areas = []
    for index in range(25):
        pixels = processor(images=frames[index], return_tensors="pt")["pixel_values"]
        output = model(inference_session=theirs, frame=pixels)
        expected = processor.post_process_masks([output.pred_masks], [(90, 160)])[0].reshape(90, 160).numpy()
        tracked = added if index == 0 else ours.advance(frames[index])[1]
        np.testing.assert_array_equal(tracked.mask, expected)
        areas.append(int(expected.sum()))
    assert max(areas) > 0
    assert len(set(areas)) > 5, "masks that never change prove nothing"


def test_objects_come_and_go_without_touching_each_other(segmenter: Sam3Segmenter, frames: list[RGB]) -> None:
    alone, together = segmenter.start(), segmenter.start()
    for one in (alone, together):
        one.advance(frames[0])
        one.add(7, BOX)
    for index in range(1, 10):
        expected = alone.advance(frames[index])[7]
        masks = together.advance(frames[index])
        np.testing.assert_array_equal(masks[7].mask, expected.mask)
        assert masks[7].score == expected.score
        if index == 3:
            together.add(2, POINTS)
            together.add(2, BOX)
        if index == 7:
            together.drop(2)
    assert list(together.objects) == [7]


def test_a_correction_keeps_the_objects_memory(segmenter: Sam3Segmenter, frames: list[RGB]) -> None:
    session = segmenter.start()
    session.advance(frames[0])
    given = np.zeros((90, 160), np.bool_)
    given[20:60, 30:90] = True
    np.testing.assert_array_equal(session.add(1, Prompt(mask=given)).mask, given)
    for index in range(1, 5):
        session.advance(frames[index])
    session.add(1, BOX)
    memories = session.objects[1].output_dict_per_obj[0]
    assert list(memories["cond_frame_outputs"]) == [0]
    assert list(memories["non_cond_frame_outputs"]) == [1, 2, 3, 4]


def test_memory_does_not_grow_and_a_restored_session_goes_on(
    segmenter: Sam3Segmenter, frames: list[RGB], tmp_path: Path
) -> None:
    session = segmenter.start()
    session.advance(frames[0])
    session.add(1, BOX)
    session.add(5, POINTS)
    for index in range(1, 18):
        session.advance(frames[index])
    full = session.stored_bytes()
    for index in range(18, 30):
        session.advance(frames[index])
    assert session.stored_bytes() == full
    session.save(tmp_path / "session")
    restored = segmenter.restore(tmp_path / "session")
    with pytest.raises(ValueError, match="advance first"):
        restored.add(1, BOX)
    for index in range(30, 34):
        expected = session.advance(frames[index])
        for obj_id, tracked in restored.advance(frames[index]).items():
            np.testing.assert_array_equal(tracked.mask, expected[obj_id].mask)
            assert tracked.score == expected[obj_id].score
    with pytest.raises(UnsafeFile, match="saved with small"):
        Sam3Segmenter(segmenter._model, segmenter._processor, "other").restore(tmp_path / "session")


def test_another_models_folder_is_refused(tmp_path: Path) -> None:
    folder = save_small_grounding_dino(tmp_path)
    for load in (lambda: load_sam3_detector(folder, CPU), lambda: load_sam3_segmenter(folder, CPU, "x")):
        with pytest.raises(UnsafeFile, match=f"{folder}: no"):
            load()


def test_anchors_are_remembered_like_first_prompts_the_latest_of_them(
    segmenter: Sam3Segmenter, frames: list[RGB]
) -> None:
    session = segmenter.start()
    most = segmenter._model.config.max_cond_frame_num
    for number in range(30):
        session.advance(frames[number])
        if number % 4 == 0:
            session.add(1, Prompt(box=BOX.box, anchor=True))
    prompted = sorted(session.objects[1].output_dict_per_obj[0]["cond_frame_outputs"])
    assert prompted[-1] == 28
    assert len(prompted) <= most + 4  # and those near enough to be read as recent
    assert 0 not in prompted


class _FullOnce:
    """A model whose memory runs out on the first call."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, **inputs: Any) -> Any:
        self.calls += 1
        if self.calls == 1:
            raise torch.OutOfMemoryError("CUDA out of memory (a test)")
        return self._model(**inputs)


def test_where_memory_runs_out_it_is_freed_and_tried_again(
    detector: Sam3Detector, segmenter: Sam3Segmenter, frames: list[RGB]
) -> None:
    expected = detector.start("dog").detect(frames[0])
    full = Sam3Detector(_FullOnce(detector._model), detector._processor, 0.01)
    assert full.start("dog").detect(frames[0]) == expected
    masks = []
    for model in (segmenter._model, _FullOnce(segmenter._model)):
        session = Sam3Segmenter(model, segmenter._processor, "small").start()
        session.advance(frames[0])
        masks.append([session.add(1, BOX).mask, session.advance(frames[1])[1].mask])
    assert all(np.array_equal(one, other) for one, other in zip(*masks, strict=True))
    assert take_memory_notes()


def test_a_phrase_that_is_too_long_is_refused_before_work(detector: Sam3Detector, folder: Path) -> None:
    long = "dog. " + " ".join(["very"] * 40) + " red ball"
    with pytest.raises(RefusedInput, match="at most 32 tokens"):
        detector.start(long)
    with pytest.raises(RefusedInput, match="at most 32 tokens"):
        check_text(folder, long)
    check_text(folder, "dog. " * 40)
