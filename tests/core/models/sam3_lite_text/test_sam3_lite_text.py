"""SAM 3 LiteText: the real transformers class, built small with random weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from small_transformers import save_small_sam3, save_small_sam3_lite_text

from core.errors import RefusedInput, UnsafeFile
from core.models.options import ModelOptions
from core.models.pretrained import to_detections
from core.models.sam3.detector import load_lone_detector
from core.models.sam3_lite_text.backend import DETECTOR, FAMILY
from core.models.spec import ModelSpec
from core.video.frames import RGB


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_sam3_lite_text(tmp_path_factory.mktemp("lite"))


def test_detections_are_those_of_the_library(folder: Path) -> None:
    detector = load_lone_detector(FAMILY, ModelSpec(backend=FAMILY.name, path=folder, variant=("box_threshold=0.01",)))
    image: RGB = np.random.default_rng(3).integers(0, 256, (90, 160, 3), np.uint8)
    found = detector.start("dog").detect(image)
    inputs = detector._processor(images=image, text="dog", return_tensors="pt")
    with torch.inference_mode():
        outputs = detector._model(**{name: inputs[name] for name in ("pixel_values", "input_ids", "attention_mask")})
    (theirs,) = detector._processor.post_process_object_detection(outputs, 0.01, [(90, 160)])
    rows = zip(theirs["boxes"].tolist(), ["dog"] * len(theirs["boxes"]), theirs["scores"].tolist(), strict=True)
    assert found
    assert found == to_detections(rows, 160, 90)


def test_what_it_cannot_serve_is_refused_before_work(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RefusedInput, match="at most 32 tokens"):
        DETECTOR.check(ModelOptions(detector_path=folder), "very " * 40 + "red ball")
    DETECTOR.check(ModelOptions(detector_path=folder), "red ball")
    other = save_small_sam3(tmp_path)
    with pytest.raises(RefusedInput, match="says 'sam3_video', not 'sam3_lite_text'"):
        DETECTOR.check(ModelOptions(detector_path=other), "dog")
    with pytest.raises(UnsafeFile, match="no sam3-lite-text model"):
        load_lone_detector(FAMILY, ModelSpec(backend=FAMILY.name, path=other))
