"""The adapters on the real transformers classes, built small with random weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from library_sessions import BOX, POINTS, check_memory_and_restoring
from small_transformers import save_small_grounding_dino, save_small_sam3

from benchmarks.small_sam3 import hf
from core.errors import RefusedInput, UnsafeFile
from core.memory import take_memory_notes
from core.models.library_session import LibrarySegmenter, LibrarySession
from core.models.pretrained import to_detections
from core.models.sam3.backend import check_text
from core.models.sam3.detector import Sam3Detector, load_sam3_detector, sam3_detector
from core.models.sam3.segmenter import load_sam3_segmenter, sam3_segmenter
from core.models.sam3.shared import Sam3, load_sam3
from core.models.spec import ModelSpec
from core.prompts import Prompt
from core.video.frames import RGB


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_sam3(tmp_path_factory.mktemp("sam3"))


@pytest.fixture(scope="module")
def sam3(folder: Path) -> Sam3:
    return load_sam3(_spec(folder))


@pytest.fixture(scope="module")
def detector(sam3: Sam3) -> Sam3Detector:
    return sam3_detector(sam3, threshold=0.01)


@pytest.fixture(scope="module")
def segmenter(sam3: Sam3) -> LibrarySegmenter:
    return sam3_segmenter(sam3, "small", batch=1)


def _spec(folder: Path, *settings: str) -> ModelSpec:
    return ModelSpec(backend="sam3", variant=settings, path=folder)


def test_words_to_boxes_in_the_picture(sam3: Sam3, detector: Sam3Detector, frames: list[RGB]) -> None:
    found = detector.start("Red ball. PERSON").detect(frames[0])
    assert {one.label for one in found} == {"red ball", "person"}
    for one in found:
        x0, y0, x1, y1 = one.box
        assert 0 <= x0 < x1 <= 160
        assert 0 <= y0 < y1 <= 90
        assert one.score is not None
        assert 0.01 < one.score < 1
    best = max(one.score or 0.0 for one in found)
    assert sam3_detector(sam3, best).start("red ball. person").detect(frames[0]) == []
    with pytest.raises(RefusedInput, match="name what to find"):
        detector.start(",")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prompt", "length"), [(BOX, 62), (POINTS, 20), (Prompt(box=BOX.box, points=POINTS.points), 20)]
)
def test_masks_and_detections_are_those_of_the_librarys_session_which_forgets_nothing(
    sam3: Sam3, detector: Sam3Detector, segmenter: LibrarySegmenter, frames: list[RGB], prompt: Prompt, length: int
) -> None:
    ours, finder = segmenter.start(), detector.start("dog")
    assert ours.advance(frames[0]) == {}
    added = ours.add(1, prompt)
    theirs = LibrarySessionThatForgetsNothing(sam3, "dog")
    areas = []
    for index in range(length):
        expected = theirs.advance(frames[index], {1: prompt} if index == 0 else {})
        tracked = added if index == 0 else ours.advance(frames[index])[1]
        np.testing.assert_array_equal(tracked.mask, expected[1])
        if index % 10 == 0:
            found = finder.detect(frames[index])
            assert found
            np.testing.assert_array_equal([one.box for one in found], theirs.boxes(detector.threshold))
        areas.append(int(tracked.mask.sum()))
    assert max(areas) > 0
    assert len(set(areas)) > 5, "masks that never change prove nothing"


class LibrarySessionThatForgetsNothing:
    """The library's `Sam3VideoModel` as its own streaming session runs it, up to where its rules decide on objects."""

    def __init__(self, sam3: Sam3, words: str) -> None:
        self._sam3 = sam3
        self._processor = hf.Sam3VideoProcessor(
            sam3.processor.image_processor, sam3.tracker_processor.video_processor, sam3.processor.tokenizer
        )
        self._words = self._processor.init_video_session()
        self._processor.add_text_prompt(self._words, words)
        self._objects = sam3.tracker_processor.init_video_session()
        self._frame = -1

    def advance(self, image: RGB, prompts: dict[int, Prompt]) -> dict[int, Any]:
        """Masks by object; all frames and features stay in the session."""
        self._frame += 1
        self._size = image.shape[:2]
        model = self._sam3.model
        pixels = self._processor(images=image, return_tensors="pt", input_data_format="channels_last")["pixel_values"]
        with torch.inference_mode():
            self._seen = model.detector_model.get_vision_features(pixel_values=pixels)
            features, positions = model.get_vision_features_for_tracker(self._seen)
            self._objects.cache.cache_vision_features(
                self._frame, {"vision_feats": features, "vision_pos_embeds": positions}
            )
            for obj_id, prompt in prompts.items():
                given = {
                    "input_boxes": prompt.box and [[list(prompt.box)]],
                    "input_points": [[[list(point[:2]) for point in prompt.points]]] if prompt.points else None,
                    "input_labels": [[[int(point[2]) for point in prompt.points]]] if prompt.points else None,
                }
                self._sam3.tracker_processor.add_inputs_to_inference_session(
                    self._objects, self._frame, obj_id, original_size=self._size, **given
                )
            out = model.tracker_model(inference_session=self._objects, frame=pixels, frame_idx=self._frame)
            masks = self._sam3.tracker_processor.post_process_masks([out.pred_masks], [self._size])[0]
        return {obj_id: mask.reshape(self._size).numpy() for obj_id, mask in zip(out.object_ids, masks, strict=True)}

    def boxes(self, threshold: float) -> list[Any]:
        """What its detector finds in the present frame, as we would list it."""
        self._sam3.model.score_threshold_detection, self._sam3.model.det_nms_thresh = threshold, 0.0
        with torch.inference_mode():
            (found,) = self._sam3.model.run_detection(self._words, self._seen).values()
        height, width = self._size
        scaled = found["bbox"] * torch.tensor([width, height, width, height])
        rows = zip(scaled.tolist(), ["dog"] * len(scaled), found["scores"].tolist(), strict=True)
        return [one.box for one in to_detections(rows, width, height)]


def test_each_frame_is_encoded_once_and_each_phrase_once_a_run(sam3: Sam3, frames: list[RGB]) -> None:
    finder = sam3_detector(sam3, threshold=0.01)
    images = [frame.copy() for frame in frames[:6]]  # none of them is the one that was looked at last
    before, text_calls = sam3.encoded_frames, []
    real = sam3.model.detector_model.get_text_features

    def counted(**given: Any) -> Any:
        text_calls.append(1)
        return real(**given)

    sam3.model.detector_model.get_text_features = counted
    try:
        for _ in range(2):
            words, session = finder.start("dog. cat"), sam3_segmenter(sam3, "small", batch=1).start()
            for index, image in enumerate(images):
                session.advance(image)
                words.detect(image)
                session.add(index, BOX)
    finally:
        del sam3.model.detector_model.get_text_features
    assert sam3.encoded_frames - before == 12
    assert len(text_calls) == 2


def test_a_frame_in_which_nothing_is_followed_or_sought_is_not_encoded(sam3: Sam3, frames: list[RGB]) -> None:
    before = sam3.encoded_frames
    session = sam3_segmenter(sam3, "small", batch=1).start()
    for index in range(4):
        session.advance(frames[index])
    assert sam3.encoded_frames == before


def test_detector_and_segmenter_are_one_model_in_memory(folder: Path, sam3: Sam3) -> None:
    other = _spec(folder, "box_threshold=0.3")
    assert load_sam3(other) is sam3
    assert load_sam3_detector(other)._model is sam3.model.detector_model
    assert load_sam3_segmenter(_spec(folder))._model.model is sam3.model.tracker_model


def test_objects_tracked_together_are_those_tracked_one_by_one(sam3: Sam3, frames: list[RGB]) -> None:
    given = np.zeros((90, 160), np.bool_)
    given[20:60, 30:90] = True
    prompts = {0: {1: BOX, 2: POINTS, 3: Prompt(mask=given)}, 4: {4: BOX, 2: POINTS}, 6: {5: POINTS}}

    def run(batch: int) -> tuple[list[dict[int, Any]], LibrarySession]:
        session = sam3_segmenter(sam3, "small", batch).start()
        rows = []
        for index in range(12):
            masks = session.advance(frames[index])
            masks |= {obj_id: session.add(obj_id, one) for obj_id, one in prompts.get(index, {}).items()}
            if index == 8:
                session.drop(1)
            rows.append(masks)
        return rows, session

    alone, together = run(1), run(8)
    for one, other in zip(alone[0], together[0], strict=True):
        assert list(one) == list(other)
        for obj_id, tracked in one.items():
            assert np.mean(tracked.mask != other[obj_id].mask) < 1e-3
            assert tracked.score == pytest.approx(other[obj_id].score, abs=1e-4)
    assert together[1].stored_bytes() == alone[1].stored_bytes()


@pytest.mark.slow
def test_objects_that_come_and_go_leave_nothing_behind(sam3: Sam3, frames: list[RGB]) -> None:
    session = sam3_segmenter(sam3, "small", batch=1).start()
    held = []
    for index in range(70):
        session.advance(frames[index % len(frames)])
        if index < 50:
            session.add(index, BOX)
        for obj_id in [one for one in session.objects if one <= index - 2]:
            session.drop(obj_id)
        held.append(session.stored_bytes())
    assert max(held[10:50]) == held[10]
    assert held[-1] == 0


def test_objects_come_and_go_without_touching_each_other(segmenter: LibrarySegmenter, frames: list[RGB]) -> None:
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


def test_a_correction_keeps_the_objects_memory(segmenter: LibrarySegmenter, frames: list[RGB]) -> None:
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


@pytest.mark.slow
def test_memory_does_not_grow_and_a_restored_session_goes_on(
    sam3: Sam3, segmenter: LibrarySegmenter, frames: list[RGB], tmp_path: Path
) -> None:
    check_memory_and_restoring(segmenter, frames, tmp_path / "session", 30)
    with pytest.raises(UnsafeFile, match="saved with small"):
        sam3_segmenter(sam3, "other", batch=1).restore(tmp_path / "session")


def test_another_models_folder_is_refused(tmp_path: Path) -> None:
    folder = save_small_grounding_dino(tmp_path)
    for load in (load_sam3_detector, load_sam3_segmenter):
        with pytest.raises(UnsafeFile, match=f"{folder}: no"):
            load(_spec(folder))


@pytest.mark.slow
def test_anchors_are_remembered_like_first_prompts_the_latest_of_them(
    segmenter: LibrarySegmenter, frames: list[RGB]
) -> None:
    session = segmenter.start()
    most = segmenter._model.model.config.max_cond_frame_num
    for number in range(30):
        session.advance(frames[number])
        if number % 4 == 0:
            session.add(1, Prompt(box=BOX.box, anchor=True))
    prompted = session.objects[1].output_dict_per_obj[0]["cond_frame_outputs"]
    assert list(prompted) == list(range(0, 29, 4)), "the pointers of all are read"
    with_masks = [frame for frame, memory in prompted.items() if "maskmem_features" in memory]
    assert with_masks[-1] == 28
    assert len(with_masks) <= most + 4  # and those near enough to be read as recent
    assert 0 not in with_masks


@pytest.mark.slow
def test_many_prompts_give_what_a_session_gives_that_forgets_nothing(
    segmenter: LibrarySegmenter, frames: list[RGB], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def run(restart_at: int | None) -> list[Any]:
        session = segmenter.start()
        found = []
        for number in range(34):
            masks = session.advance(frames[number])
            if number % 3 == 0:
                session.add(1, Prompt(box=BOX.box, anchor=True))
            elif number:
                found.append((masks[1].mask, masks[1].score))
            if number == restart_at:
                session.save(tmp_path / "session")
                session = segmenter.restore(tmp_path / "session")
        return found

    forgetful, restored = run(None), run(10)
    monkeypatch.setattr(LibrarySession, "_forget_prompts", lambda *_: None)
    for one, again, other in zip(forgetful, restored, run(None), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(again[0], other[0])
        assert one[1] == again[1] == other[1]


@pytest.mark.parametrize("where", ["mask_decoder", "memory_encoder", "post_process_masks"])
@pytest.mark.parametrize("known", [False, True])
def test_a_prompt_survives_memory_that_runs_out_in_its_midst(
    segmenter: LibrarySegmenter, frames: list[RGB], monkeypatch: pytest.MonkeyPatch, where: str, known: bool
) -> None:
    def run(fails: bool) -> list[Any]:
        session = segmenter.start()
        session.advance(frames[0])
        if known:
            session.add(1, BOX)
            session.advance(frames[1])
        with monkeypatch.context() as patched:
            if fails:
                owner, name = (
                    (segmenter._model.processor, where) if where == "post_process_masks"
                    else (getattr(segmenter._model.model, where), "forward")
                )  # fmt: skip
                patched.setattr(owner, name, _full_once(getattr(owner, name)))
            prompted = session.add(1, POINTS)
        later = [session.advance(frames[index])[1] for index in range(2, 5)]
        return [(one.mask, one.score) for one in (prompted, *later)]

    for expected, found in zip(run(False), run(True), strict=True):
        np.testing.assert_array_equal(found[0], expected[0])
        assert found[1] == expected[1]


def test_a_prompt_that_does_not_fit_changes_nothing(
    segmenter: LibrarySegmenter, frames: list[RGB], monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = [segmenter.start() for _ in range(2)]
    for session in sessions:
        session.advance(frames[0])
        session.add(1, BOX)
        session.advance(frames[1])
    with monkeypatch.context() as patched:
        patched.setattr(segmenter._model.model.mask_decoder, "forward", _always_full)
        for obj_id, prompt in ((1, Prompt(points=POINTS.points, anchor=True)), (2, BOX)):
            with pytest.raises(torch.OutOfMemoryError):
                sessions[0].add(obj_id, prompt)
    one, other = (session.advance(frames[2]) for session in sessions)
    assert list(one) == list(other) == [1]
    np.testing.assert_array_equal(one[1].mask, other[1].mask)


def test_fewer_objects_go_through_together_where_memory_runs_out(
    sam3: Sam3, frames: list[RGB], monkeypatch: pytest.MonkeyPatch
) -> None:
    take_memory_notes()
    segmenter = sam3_segmenter(sam3, "small", batch=8)
    session = segmenter.start()
    session.advance(frames[0])
    for obj_id in range(5):
        session.add(obj_id, BOX if obj_id % 2 else POINTS)
    assert segmenter._model.together is not None
    real, tried = segmenter._model.together.track, []

    def track(sessions: Any, frame: int, features: Any) -> Any:
        tried.append(len(sessions))
        if len(sessions) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory (a test)")
        return real(sessions, frame, features)

    monkeypatch.setattr(segmenter._model.together, "track", track)
    assert list(session.advance(frames[1])) == list(range(5))
    assert tried == [5, 4, 2, 2]
    session.advance(frames[2])
    assert max(tried[4:]) == 2, "it is not tried again with more"
    assert segmenter.start()._sizes is session._sizes
    assert take_memory_notes()


@pytest.mark.slow
def test_objects_that_began_on_other_frames_share_passes_once_their_memories_are_full(
    sam3: Sam3, frames: list[RGB], monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = sam3_segmenter(sam3, "small", batch=8)
    assert segmenter._model.together is not None
    session, alone, sizes = segmenter.start(), sam3_segmenter(sam3, "small", batch=1).start(), []
    real = segmenter._model.together.track

    def track(sessions: Any, frame: int, features: Any) -> Any:
        sizes.append(len(sessions))
        return real(sessions, frame, features)

    monkeypatch.setattr(segmenter._model.together, "track", track)
    for index in range(24):
        together, expected = session.advance(frames[index]), alone.advance(frames[index])
        for obj_id, tracked in expected.items():
            assert np.mean(tracked.mask != together[obj_id].mask) < 1e-3
        if index < 4:
            for one in (session, alone):
                one.add(index, BOX if index % 2 else POINTS)
    assert sizes[-1] == 4


def _full_once(real: Any) -> Any:
    calls = []

    def full(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory (a test)")
        return real(*args, **kwargs)

    return full


def _always_full(*_: Any, **__: Any) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory (a test)")


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
    sam3: Sam3, detector: Sam3Detector, segmenter: LibrarySegmenter, frames: list[RGB]
) -> None:
    expected = detector.start("dog").detect(frames[0])
    full = Sam3Detector(_FullOnce(detector._model), detector._processor, detector._encode, 0.01)
    assert full.start("dog").detect(frames[0]) == expected
    masks = []
    model = segmenter._model
    for one in (model, replace(model, model=_FullOnce(model.model))):
        session = LibrarySegmenter(one).start()
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
