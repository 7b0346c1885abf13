"""Ours against the package's own video predictor: the same weights, the same JPEG files, every logit."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sam2.modeling.sam2_base import SAM2Base
from sam2.sam2_video_predictor import SAM2VideoPredictor
from small_sam2 import Logits, Ours, Package, assert_equal, package_predictor, small_sam2
from trained_sam2 import trained_sam2

from core.models.sam2.build import compile_modules
from core.models.sam2.own_weights import load_own_weights
from core.models.sam2.predictor import StreamingPredictor, Window
from core.prompts import Prompt
from core.video.frames import RGB
from core.weights.catalogue import TINY_SAM2

HEIGHT, WIDTH, FRAMES = 90, 160, 64
_MASK = np.zeros((HEIGHT, WIDTH), np.bool_)
_MASK[20:70, 90:140] = True
BOX = Prompt(box=(8.0, 35.0, 28.0, 55.0))
MASK = Prompt(mask=_MASK)
TOLERANCE = 5e-6
POINTS = Prompt(points=((40.0, 45.0, True), (10.0, 10.0, False)))


@pytest.fixture(scope="module")
def reference(model: SAM2Base) -> SAM2VideoPredictor:
    return package_predictor(model)


@pytest.fixture
def ours(model: SAM2Base, frames: list[RGB]) -> Ours:
    return Ours(StreamingPredictor(model, Window(HEIGHT, WIDTH, FRAMES)), frames)


@pytest.fixture
def package(reference: SAM2VideoPredictor, jpegs: Path) -> Package:
    return Package(reference, jpegs)


@pytest.fixture
def capped(model: SAM2Base, reference: SAM2VideoPredictor) -> Iterator[None]:
    """Both read the two closest conditioning frames only."""
    model.max_cond_frames_in_attn = reference.max_cond_frames_in_attn = 2
    yield
    model.max_cond_frames_in_attn = reference.max_cond_frames_in_attn = -1


@pytest.fixture(params=["sam2_hiera_tiny", "absent"])
def other_models(request: pytest.FixtureRequest, frames: list[RGB], jpegs: Path) -> tuple[Ours, Package]:
    """SAM 2.0, whose pointers have no place in time; and 2.1 with objects that are often not there."""
    if request.param == "absent":
        other = small_sam2(present=-0.05)
        reference = package_predictor(other)
    else:
        other = small_sam2(sam_type="sam2_hiera_tiny")
        reference = package_predictor(other, "sam2_hiera_tiny")
    return Ours(StreamingPredictor(other, Window(HEIGHT, WIDTH, FRAMES)), frames), Package(reference, jpegs)


@pytest.mark.slow
def test_other_models_and_corrections_when_memory_is_full(other_models: tuple[Ours, Package]) -> None:
    ours, package = other_models
    ours.seek(0)
    for obj_id, prompt in ((1, BOX), (2, MASK)):
        ours.add(obj_id, prompt)
        package.add(0, obj_id, prompt)
    ours.advance(range(1, 19))
    package.track(0, 18)
    ours.add(1, POINTS)
    package.add(18, 1, POINTS)
    ours.advance(range(19, 23))
    package.track(19, 22)
    assert_equal(ours.logits, package.logits, constant=1.0)


@pytest.mark.slow
@pytest.mark.parametrize("reverse", [False, True])
def test_a_whole_video_with_an_object_added_on_the_way(ours: Ours, package: Package, reverse: bool) -> None:
    """Box and mask on the first frame, a third object later, far more frames than are remembered, either way."""
    first, added, last, step = (26, 8, 0, -1) if reverse else (0, 18, 27, 1)
    ours.seek(first, reverse)
    for obj_id, prompt in ((1, BOX), (2, MASK)):
        ours.add(obj_id, prompt)
        package.add(first, obj_id, prompt)
    ours.advance(range(first + step, added + step, step))
    package.track(first, added)
    ours.add(3, POINTS)
    package.add(added, 3, POINTS)
    ours.advance(range(added + step, last + step, step))
    package.track(added, last)
    assert len(ours.logits) == 2 * (abs(last - first) + 1) + abs(last - added) + 1
    assert_equal(ours.logits, package.logits)


@pytest.mark.slow
def test_prompts_ahead_of_time_then_forward_then_backward_in_one_session(ours: Ours, package: Package) -> None:
    for frame, obj_id, prompt in ((20, 1, BOX), (30, 1, MASK), (20, 2, MASK), (26, 2, POINTS)):
        ours.seek(frame)
        ours.add(obj_id, prompt)
        package.add(frame, obj_id, prompt)
    ours.seek(20)
    ours.predictor.hold()
    ours.advance(range(21, 35))
    package.track(20, 34)
    assert_equal(ours.logits, package.logits)
    ours.seek(20, reverse=True)
    ours.advance(range(19, 9, -1))
    package.track(20, 10)
    assert_equal(ours.logits, package.logits)


@pytest.mark.slow
def test_corrections_on_a_tracked_frame_and_a_second_thought_on_the_same(ours: Ours, package: Package) -> None:
    more = Prompt(box=BOX.box, points=POINTS.points)
    ours.seek(0)
    for prompt in (BOX, more):
        ours.add(1, prompt)
        package.add(0, 1, prompt)
    ours.add(2, MASK)
    package.add(0, 2, MASK)
    ours.advance(range(1, 9))
    package.track(0, 8)
    for obj_id, prompt in ((1, POINTS), (1, more), (2, MASK)):
        ours.add(obj_id, prompt)
        package.add(8, obj_id, prompt)
    ours.advance(range(9, 20))
    package.track(9, 19)
    assert_equal(ours.logits, package.logits)


@pytest.mark.slow
@pytest.mark.usefixtures("capped")
def test_more_prompted_frames_than_are_read(ours: Ours, package: Package) -> None:
    for start in range(0, 25, 5):
        ours.seek(start)
        ours.add(1, BOX)
        package.add(start, 1, BOX)
        ours.advance(range(start + 1, start + 5))
        package.track(start, start + 4)
    assert_equal(ours.logits, package.logits)
    assert len(ours.predictor.objects[1].conditioning) == 3  # the two that are read, and those within reach


def test_a_video_shorter_than_the_memory(model: SAM2Base, reference: SAM2VideoPredictor, tmp_path: Path) -> None:
    images = [np.random.default_rng(index).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for index in range(6)]
    for index, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{index}.jpg")
    frames = [np.array(Image.open(tmp_path / f"{index}.jpg")) for index in range(6)]
    ours = Ours(StreamingPredictor(model, Window(HEIGHT, WIDTH, num_frames=6)), frames)
    package = Package(reference, tmp_path)
    ours.seek(0)
    ours.add(1, BOX)
    package.add(0, 1, BOX)
    ours.advance(range(1, 6))
    package.track(0, 5)
    assert_equal(ours.logits, package.logits)


def _place(obj_id: int) -> Prompt:
    """A mask of its own for each object, so that their logits are far apart."""
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[10 + 5 * obj_id : 40 + 10 * obj_id, 5 + 30 * obj_id : 35 + 30 * obj_id] = True
    return Prompt(mask=mask)


def _apart(logits: Logits) -> float:
    """The least that two objects' logits differ by, on any frame that was tracked."""
    prompted = {3 * obj_id for obj_id in range(9)}
    return min(
        float((logits[frame, one] - logits[frame, other]).abs().max())
        for frame, one in logits
        for other in range(one)
        if (frame, other) in logits and frame not in prompted
    )


def _tracked(model: SAM2Base, frames: list[RGB], obj_ids: list[int], batch: int = 1, last: int = 24) -> Logits:
    """Objects prompted in different positions, each 3 frames after the one before."""
    ours = Ours(StreamingPredictor(model, Window(HEIGHT, WIDTH), batch), frames)
    ours.seek(0)
    for frame in range(last):
        obj_id = frame // 3
        if frame % 3 == 0 and obj_id in obj_ids:
            ours.add(obj_id, _place(obj_id))
        if ours.predictor.objects:
            ours.advance([frame + 1])
        else:
            ours.seek(frame + 1)
    return ours.logits


def test_objects_do_not_touch_each_other(model: SAM2Base, frames: list[RGB]) -> None:
    together = _tracked(model, frames, [0, 1, 2], last=12)
    for obj_id in range(3):
        alone = _tracked(model, frames, [obj_id], last=12)
        assert all(torch.equal(logits, together[key]) for key, logits in alone.items())


def test_a_dropped_object_leaves_the_others_as_they_are(model: SAM2Base, frames: list[RGB]) -> None:
    ours = Ours(StreamingPredictor(model, Window(HEIGHT, WIDTH)), frames)
    ours.seek(0)
    ours.add(1, BOX)
    ours.add(2, MASK)
    ours.advance([1, 2])
    ours.predictor.drop(2)
    ours.add(3, POINTS)
    ours.predictor.drop(3)
    ours.advance([3, 4])
    alone = Ours(StreamingPredictor(model, Window(HEIGHT, WIDTH)), frames)
    alone.seek(0)
    alone.add(1, BOX)
    alone.advance([1, 2, 3, 4])
    assert {key: logits for key, logits in ours.logits.items() if key[1] == 1}.keys() == alone.logits.keys()
    assert all(torch.equal(logits, ours.logits[key]) for key, logits in alone.logits.items())


@pytest.mark.slow
def test_batched_objects_agree_with_looped_ones(model: SAM2Base, frames: list[RGB]) -> None:
    looped = _tracked(model, frames, list(range(3)))
    batched = _tracked(model, frames, list(range(3)), batch=8)
    assert batched.keys() == looped.keys()
    worst = max(float((batched[key] - looped[key]).abs().max()) for key in looped)
    assert worst < TOLERANCE
    assert _apart(looped) > 20 * TOLERANCE, "objects are too alike to tell one from another"
    assert not all(torch.equal(batched[key], looped[key]) for key in looped), "nothing was batched"


def test_an_object_prompted_ahead_is_tracked_before_its_prompt_too(model: SAM2Base, frames: list[RGB]) -> None:
    """The package cannot, on the CPU: without pointers its memories are bfloat16 and nothing else is."""
    ours = Ours(StreamingPredictor(model, Window(HEIGHT, WIDTH)), frames)
    ours.seek(6)
    ours.add(1, BOX)
    prompted = ours.logits.pop((6, 1))
    ours.seek(0)
    ours.advance(range(1, 9))
    assert [frame for frame, _ in ours.logits] == list(range(1, 9))
    assert torch.equal(ours.logits[6, 1], prompted)
    assert all(bool(logits.std() > 1e-3) for logits in ours.logits.values())


@pytest.mark.slow
def test_compiled_modules_on_padded_batches_agree(frames: list[RGB]) -> None:
    """Dynamo traces every module; what it traced runs as it is, since generating code takes minutes."""
    plain = _tracked(trained_sam2(), frames, [0, 1], last=6)
    compiled = load_own_weights(TINY_SAM2, torch.device("cpu"))
    compile_modules(compiled, backend="eager")
    padded = Ours(StreamingPredictor(compiled, Window(HEIGHT, WIDTH), batch=8, pad=True), frames)
    padded.seek(0)
    for frame in range(6):
        if frame in (0, 3):
            padded.add(frame // 3, _place(frame // 3))
        padded.advance([frame + 1])
    assert padded.logits.keys() == plain.keys()
    assert max(float((padded.logits[key] - plain[key]).abs().max()) for key in plain) < TOLERANCE


@pytest.mark.slow
def test_memory_does_not_grow_with_the_video(model: SAM2Base, frames: list[RGB]) -> None:
    ours = Ours(StreamingPredictor(model, Window(HEIGHT, WIDTH), batch=4), frames)
    ours.seek(0)
    for obj_id, prompt in ((1, BOX), (2, MASK), (3, POINTS)):
        ours.add(obj_id, prompt)
    ours.advance(range(1, 18))
    full = ours.predictor.stored_bytes()
    ours.advance(range(18, 26))
    assert ours.predictor.stored_bytes() == full
    # One batch's storage is not kept alive by one object's share of it.
    memories = [m for o in ours.predictor.objects.values() for m in [*o.conditioning.values(), *o.recent.values()]]
    assert sum(tensor.nbytes for memory in memories for tensor in memory.tensors().values()) == full


def test_a_frame_encoded_ahead_of_time_is_the_same_frame(model: SAM2Base, frames: list[RGB]) -> None:
    plain, ahead = (Ours(StreamingPredictor(model, Window(HEIGHT, WIDTH)), frames) for _ in range(2))
    for one in (plain, ahead):
        one.seek(0)
        one.add(1, BOX)
    plain.advance([1, 2, 3])
    ahead.predictor.look_ahead(frames[1])
    ahead.advance([1])
    ahead.predictor.look_ahead(frames[9])  # not the one that comes: encoded anew
    ahead.advance([2, 3])
    assert all(torch.equal(logits, ahead.logits[key]) for key, logits in plain.logits.items())


def test_a_prompt_needs_a_frame_of_the_videos_size(model: SAM2Base, frames: list[RGB]) -> None:
    predictor = StreamingPredictor(model, Window(HEIGHT, WIDTH))
    with pytest.raises(ValueError, match="advance or seek first"):
        predictor.add(1, BOX)
    assert predictor.objects == {}
    with pytest.raises(ValueError, match=r"a frame of uint8 \(90, 80, 3\) in a video of uint8 \(90, 160, 3\)"):
        predictor.advance(frames[0][:, :80])
    with pytest.raises(ValueError, match="a frame of float32"):
        predictor.advance(frames[0].astype(np.float32))
    predictor.advance(frames[0])
    with pytest.raises(ValueError, match=r"a mask of \(5, 5\) in a video of \(90, 160\)"):
        predictor.add(1, Prompt(mask=np.ones((5, 5), np.bool_)))


def test_going_where_memory_is_gone_says_what_to_do(model: SAM2Base, frames: list[RGB]) -> None:
    ours = Ours(StreamingPredictor(model, Window(HEIGHT, WIDTH)), frames)
    ours.seek(0)
    ours.add(1, BOX)
    ours.advance(range(1, 13))
    ours.seek(5, reverse=True)
    with pytest.raises(ValueError, match=r"call hold\(\) on a frame before you turn round there"):
        ours.advance([4])
    ours.seek(0, reverse=True)
    with pytest.raises(ValueError, match="no frame before frame 0"):
        ours.predictor.advance(frames[0])


def test_an_empty_scene_costs_nothing(model: SAM2Base, frames: list[RGB], monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = 0
    original = model.forward_image

    def forward_image(pixels: torch.Tensor) -> object:
        nonlocal encoded
        encoded += 1
        return original(pixels)

    monkeypatch.setattr(model, "forward_image", forward_image)
    predictor = StreamingPredictor(model, Window(HEIGHT, WIDTH))
    for index in range(5):
        predictor.advance(frames[index])
    assert encoded == 0
    predictor.add(1, BOX)
    predictor.add(2, MASK)
    predictor.advance(frames[5])
    assert encoded == 2


def test_an_anchor_is_remembered_like_a_first_prompt(model: SAM2Base, frames: list[RGB]) -> None:
    predictor = StreamingPredictor(model, Window(HEIGHT, WIDTH))
    for number in range(3):
        predictor.advance(frames[number])
        if number == 0:
            predictor.add(1, BOX)
    corrected = predictor.add(1, Prompt(box=BOX.box))
    assert list(predictor.objects[1].conditioning) == [0]
    anchored = predictor.add(1, Prompt(box=BOX.box, anchor=True))
    assert list(predictor.objects[1].conditioning) == [0, 2]
    assert 2 not in predictor.objects[1].recent
    assert not torch.equal(corrected.logits, anchored.logits)
    # It is decoded as if the object were new.
    fresh = StreamingPredictor(model, Window(HEIGHT, WIDTH))
    fresh.seek(2, frames[2])
    assert torch.equal(fresh.add(1, BOX).logits, anchored.logits)
    predictor.advance(frames[3])
    assert list(predictor.objects[1].recent) == [1, 3]
