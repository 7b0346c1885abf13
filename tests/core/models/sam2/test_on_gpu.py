"""What differs on a GPU: half precision, batches, asynchronous copies, looking ahead. Skipped without one."""

import numpy as np
import pytest
import torch

from core.models.sam2.preprocess import prepare
from core.models.sam2.segmenter import Sam2Segmenter
from core.prompts import Prompt
from core.video.frames import RGB

if not torch.cuda.is_available():
    pytest.skip("needs a CUDA device", allow_module_level=True)
GPU = torch.device("cuda")


@pytest.mark.parametrize("shape", [(90, 160), (160, 90), (128, 128), (1080, 1920)])
def test_a_gpu_sees_the_same_picture_to_the_last_bit(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert torch.equal(prepare(image, 128, GPU).cpu(), prepare(image, 128, torch.device("cpu")))


def _masks(frames: list[RGB], device: torch.device, ahead: bool) -> list[np.ndarray]:
    from small_sam2 import small_sam2

    session = Sam2Segmenter(small_sam2().to(device), "gpu").start()
    masks = []
    for index in range(20):
        tracked = session.advance(frames[index], frames[index + 1] if ahead else None)
        if index % 5 == 0:
            x = 8.0 + 4 * index
            session.add(index, Prompt(box=(x, 20.0, x + 30, 60.0)))
        masks += [one.mask for one in tracked.values()]
    return masks


def test_looking_ahead_changes_nothing(frames: list[RGB]) -> None:
    for plain, ahead in zip(_masks(frames, GPU, False), _masks(frames, GPU, True), strict=True):
        np.testing.assert_array_equal(ahead, plain)


def test_half_precision_and_batches_stay_close_to_the_cpu(frames: list[RGB]) -> None:
    pairs = zip(_masks(frames, GPU, True), _masks(frames, torch.device("cpu"), False), strict=True)
    assert float(np.mean([(ours == theirs).mean() for ours, theirs in pairs])) > 0.9
