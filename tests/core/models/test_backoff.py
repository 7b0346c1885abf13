"""Out of memory at every place where models need it: the same results, smaller pieces, a note of what was changed."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sam2.modeling.sam2_base import SAM2Base

from core.memory import take_memory_notes
from core.models.backoff import Sizes, in_batches, until_it_fits
from core.models.sam2.features import Features
from core.models.sam2.predictor import StreamingPredictor, Window
from core.models.sam2.segmenter import Sam2Segmenter, Sam2Session
from core.prompts import Prompt, TrackedMask

predictor_module: Any = import_module("core.models.sam2.predictor")
BOXES = {
    1: (8.0, 20.0, 40.0, 60.0),
    2: (60.0, 10.0, 100.0, 50.0),
    3: (20.0, 50.0, 70.0, 85.0),
    4: (90.0, 40.0, 150.0, 80.0),
}


class _Full:
    """Raises the first `times` calls, and whenever more rows than `fits` go through."""

    def __init__(
        self, real: Callable[..., Any], times: int = 0, fits: Callable[..., bool] = lambda *_, **__: True
    ) -> None:
        self._real = real
        self._times = times
        self._fits = fits
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self.calls <= self._times or not self._fits(*args, **kwargs):
            raise torch.OutOfMemoryError("CUDA out of memory (a test)")
        return self._real(*args, **kwargs)


@pytest.fixture(autouse=True)
def notes() -> Iterator[None]:
    take_memory_notes()
    yield
    take_memory_notes()


def _track(session: Sam2Session, frames: list[np.ndarray]) -> list[dict[int, TrackedMask]]:
    found = [session.advance(frames[0], frames[1])]
    for obj_id, box in BOXES.items():
        session.add(obj_id, Prompt(box=box))
    for number, (image, upcoming) in enumerate(zip(frames[1:6], [*frames[2:6], None], strict=True)):
        found.append(session.advance(image, upcoming))
        if number == 2:
            found.append({1: session.add(1, Prompt(points=((20.0, 40.0, True),)))})  # a correction
    return found


def _same(found: list[dict[int, TrackedMask]], expected: list[dict[int, TrackedMask]]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for obj_id in one:
            assert (one[obj_id].mask != other[obj_id].mask).mean() < 1e-3
            assert one[obj_id].score == pytest.approx(other[obj_id].score, abs=1e-4)


@pytest.fixture(scope="module")
def expected(model: SAM2Base, frames: list[np.ndarray]) -> list[dict[int, TrackedMask]]:
    """What comes of it where memory does not run out."""
    return _track(Sam2Segmenter(model, "m", batch=4).start(), frames)


@pytest.mark.parametrize("place", ["track_batch", "decode", "encode_memory", "enlarge", "condition", "Features.of"])
@pytest.mark.parametrize("times", [1, 2])
def test_sam2_goes_on_wherever_memory_runs_out(
    place: str,
    times: int,
    model: SAM2Base,
    frames: list[np.ndarray],
    expected: list[dict[int, TrackedMask]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = Features if place == "Features.of" else predictor_module
    full = _Full(getattr(target, place.removeprefix("Features.")), times)
    monkeypatch.setattr(target, place.removeprefix("Features."), full)
    _same(_track(Sam2Segmenter(model, "m", batch=4).start(), frames), expected)
    assert full.calls > times
    assert take_memory_notes()


def test_objects_are_halved_and_what_fitted_is_remembered(
    model: SAM2Base,
    frames: list[np.ndarray],
    expected: list[dict[int, TrackedMask]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = predictor_module.track_batch
    full = _Full(real, fits=lambda model, frame, rows, *_: len(rows) <= 2)
    monkeypatch.setattr(predictor_module, "track_batch", full)
    segmenter = Sam2Segmenter(model, "m", batch=4)
    _same(_track(segmenter.start(), frames), expected)
    assert segmenter.sizes.objects == 2
    assert take_memory_notes() == ["objects at once: 2 instead of 4 (results equal but for float rounding)"]
    calls = full.calls
    _track(segmenter.start(), frames)  # another video in the same worker begins with what fits
    assert take_memory_notes() == []
    assert full.calls - calls == calls - 1


def test_a_session_saved_before_goes_on_the_same_after_memory_ran_out(
    model: SAM2Base, frames: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = Sam2Segmenter(model, "m", batch=4)
    session = segmenter.start()
    assert _track(session, frames)
    session.save(tmp_path / "saved")
    on = session.advance(frames[6])
    monkeypatch.setattr(predictor_module, "track_batch", _Full(predictor_module.track_batch, 1))
    again = Sam2Segmenter(model, "m", batch=4)
    _same([again.restore(tmp_path / "saved").advance(frames[6])], [on])
    assert again.sizes.objects == 2


def test_masks_are_enlarged_fewer_at_a_time(
    model: SAM2Base,
    frames: list[np.ndarray],
    expected: list[dict[int, TrackedMask]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = StreamingPredictor.video_logits
    full = _Full(real, fits=lambda _, logits: len(logits) <= 1)
    monkeypatch.setattr(StreamingPredictor, "video_logits", lambda *args: full(*args))
    segmenter = Sam2Segmenter(model, "m", batch=4)
    _same(_track(segmenter.start(), frames), expected)
    assert segmenter.sizes.masks == 1


def test_what_never_fits_is_an_error(
    model: SAM2Base, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor_module, "track_batch", _Full(predictor_module.track_batch, 1000))
    with pytest.raises(torch.OutOfMemoryError):
        _track(Sam2Segmenter(model, "m", batch=4).start(), frames)


def test_sizes_shrink_in_order_and_end() -> None:
    sizes = Sizes(objects=5, masks=2)
    changes = [sizes.shrink("objects", "ahead", "masks") for _ in range(5)]
    assert changes == [True, True, True, True, False]
    assert (sizes.objects, sizes.ahead, sizes.masks) == (1, False, 1)


def test_what_cannot_be_made_smaller_is_tried_once_more() -> None:
    full = _Full(lambda: "done", 1)
    assert until_it_fits(full, lambda: False) == "done"
    with pytest.raises(torch.OutOfMemoryError):
        until_it_fits(_Full(lambda: "done", 2), lambda: False)


@pytest.mark.parametrize(("fits", "most"), [(1, 8), (3, 8), (8, 8), (2, 3)])
def test_batches_are_halved_until_they_fit(fits: int, most: int) -> None:
    full = _Full(lambda items: [2 * item for item in items], fits=lambda items: len(items) <= fits)
    assert list(in_batches(range(11), most, full)) == [2 * item for item in range(11)]


@pytest.mark.parametrize(("fits", "sizes"), [(99, [11]), (4, [3, 3, 3, 2]), (1, [1] * 11)])
def test_a_batch_may_have_one_result_for_all_its_items(fits: int, sizes: list[int]) -> None:
    full = _Full(lambda items: [len(items)], fits=lambda items: len(items) <= fits)
    assert list(in_batches(range(11), 11, full)) == sizes


def test_a_frame_that_does_not_fit_ahead_is_encoded_in_its_turn(
    model: SAM2Base, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for times in (0, 1):
        predictor = StreamingPredictor(model, Window(*frames[0].shape[:2]), batch=4)
        predictor.advance(frames[0])
        predictor.add(1, Prompt(box=BOXES[1]))
        with monkeypatch.context() as patch:
            patch.setattr(Features, "of", _Full(Features.of, times))
            predictor.look_ahead(frames[1])
        assert predictor.sizes.ahead == (times == 0)
        found.append(predictor.advance(frames[1]).logits)
    assert torch.equal(*found)
