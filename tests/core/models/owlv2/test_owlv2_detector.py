"""The adapter on the real transformers classes, built small with random weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from small_transformers import save_small_owlv2

from core.errors import RefusedInput
from core.models.owlv2.backend import DETECTOR, FAMILY
from core.models.owlv2.detector import Owlv2, load_owlv2
from core.models.pretrained import to_detections
from core.models.spec import ModelSpec
from core.video.frames import RGB


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_owlv2(tmp_path_factory.mktemp("owlv2"))


@pytest.fixture(scope="module")
def detector(folder: Path) -> Owlv2:
    return load_owlv2(FAMILY, ModelSpec(backend="owlv2", path=folder))


@pytest.mark.parametrize("size", [(90, 160), (160, 90), (64, 64)])
def test_detections_are_those_of_the_library(detector: Owlv2, size: tuple[int, int]) -> None:
    image: RGB = np.random.default_rng(3).integers(0, 256, (*size, 3), np.uint8)
    wanted = ["dog", "red ball"]
    found = detector.start("dog. Red  ball").detect(image)
    inputs = detector._processor(text=[[f"a photo of a {one}" for one in wanted]], images=image, return_tensors="pt")
    with torch.inference_mode():
        outputs = detector._model(**inputs)
    (theirs,) = detector._processor.post_process_grounded_object_detection(outputs, 0.1, [size], [wanted])
    rows = zip(theirs["boxes"].tolist(), theirs["text_labels"], theirs["scores"].tolist(), strict=True)
    expected = to_detections(rows, size[1], size[0])
    assert [one.label for one in found] == [one.label for one in expected] != []
    np.testing.assert_allclose([one.box for one in found], [one.box for one in expected], atol=1e-3)
    assert [one.score for one in found] == pytest.approx([one.score for one in expected], abs=1e-5)


def test_long_phrases_and_empty_texts_are_refused_before_work(detector: Owlv2, folder: Path) -> None:
    long = "dog. " + "very " * 12 + "red ball"
    with pytest.raises(RefusedInput, match="phrases of at most 32 tokens"):
        DETECTOR.check_text(folder, long)
    with pytest.raises(RefusedInput, match="phrases of at most 32 tokens"):
        detector.start(long)
    with pytest.raises(RefusedInput, match="name what to find"):
        DETECTOR.check_prompt(" . ")
    DETECTOR.check_text(folder, "dog. " * 40)
