"""The adapter on the real transformers classes, built small with random weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from small_transformers import save_small_d_fine

from core.errors import RefusedInput, UnsafeFile
from core.models.d_fine.backend import DETECTOR, FAMILY
from core.models.d_fine.detector import DFine, load_d_fine
from core.models.d_fine.words import labels_of, labels_sought
from core.models.pretrained import to_detections
from core.models.spec import ModelSpec
from core.video.frames import RGB

KNOWN = ["person", "bicycle", "car", "dog", "cell phone", "couch"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_d_fine(tmp_path_factory.mktemp("d-fine"))


@pytest.fixture(scope="module")
def detector(folder: Path) -> DFine:
    return load_d_fine(FAMILY, ModelSpec(backend="d-fine", path=folder, variant=("box_threshold=0.2",)))


def test_detections_are_those_of_the_library_under_the_users_words(detector: DFine) -> None:
    image: RGB = np.random.default_rng(3).integers(0, 256, (90, 160, 3), np.uint8)
    found = detector.start("people. a couch. Mobile phone").detect(image)
    inputs = detector._processor(images=image, return_tensors="pt")
    with torch.inference_mode():
        outputs = detector._model(**inputs)
    (theirs,) = detector._processor.post_process_object_detection(outputs, 0.2, [(90, 160)])
    names = {"person": "people", "couch": "a couch", "cell phone": "mobile phone"}
    rows = zip(theirs["boxes"].tolist(), theirs["labels"].tolist(), theirs["scores"].tolist(), strict=True)
    expected = [(box, names[KNOWN[label]], score) for box, label, score in rows if KNOWN[label] in names]
    assert found
    assert found == to_detections(expected, 160, 90)


@pytest.mark.parametrize(
    ("text", "sought"),
    [
        ("person. dogs", {"person": "person", "dog": "dogs"}),
        ("all the people. humans. bike", {"person": "all the people", "bicycle": "bike"}),
        ("Sofa", {"couch": "sofa"}),
    ],
)
def test_words_find_their_label(text: str, sought: dict[str, str]) -> None:
    assert labels_sought(text, KNOWN) == sought


@pytest.mark.parametrize("narrower", ["woman", "pedestrian", "skateboarder", "plant", "red car"])
def test_words_that_mean_less_than_a_label_are_refused(narrower: str) -> None:
    with pytest.raises(RefusedInput, match="d-fine finds person"):
        labels_sought(f"dog. {narrower}", KNOWN)


def test_other_words_are_refused_before_work_with_the_backends_that_find_them(folder: Path) -> None:
    with pytest.raises(RefusedInput, match=r"'red car'.*person, bicycle, car.*grounding-dino, mm-grounding-dino"):
        DETECTOR.check_text(folder, "dog. red car")


def test_a_model_that_does_not_name_its_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"1": "dog"}}))
    with pytest.raises(UnsafeFile, match="id2label does not name"):
        labels_of(tmp_path)
