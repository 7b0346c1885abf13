"""EdgeTAM: the real transformers class, built small with random weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from library_sessions import BOX, POINTS, check_memory_and_restoring
from small_transformers import save_small_edgetam, save_small_sam3

from core.errors import RefusedInput, UnsafeFile
from core.models.edgetam.backend import SEGMENTER
from core.models.edgetam.segmenter import load_edgetam
from core.models.library_session import LibrarySegmenter
from core.models.options import ModelOptions
from core.models.spec import ModelSpec
from core.prompts import Prompt
from core.video.frames import RGB


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_edgetam(tmp_path_factory.mktemp("edgetam"))


@pytest.fixture(scope="module")
def segmenter(folder: Path) -> LibrarySegmenter:
    return load_edgetam(ModelSpec(backend="edgetam", path=folder))


@pytest.mark.slow
@pytest.mark.parametrize("prompt", [BOX, POINTS])
def test_masks_are_those_of_the_library_which_forgets_nothing(
    segmenter: LibrarySegmenter, frames: list[RGB], prompt: Prompt
) -> None:
    ours = segmenter.start()
    ours.advance(frames[0])
    added = ours.add(1, prompt)
    model, processor = segmenter._model.model, segmenter._model.processor
    theirs = processor.init_video_session()
    given: dict[str, Any] = {
        "input_boxes": prompt.box and [[list(prompt.box)]],
        "input_points": [[[list(point[:2]) for point in prompt.points]]] if prompt.points else None,
        "input_labels": [[[int(point[2]) for point in prompt.points]]] if prompt.points else None,
    }
    processor.add_inputs_to_inference_session(theirs, 0, 1, original_size=(90, 160), **given)
    areas = []
    for index in range(20):
        pixels = processor(images=frames[index], return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            output = model(inference_session=theirs, frame=pixels)
        expected = processor.post_process_masks([output.pred_masks], [(90, 160)])[0].reshape(90, 160).numpy()
        tracked = added if index == 0 else ours.advance(frames[index])[1]
        np.testing.assert_array_equal(tracked.mask, expected)
        areas.append(int(expected.sum()))
    assert max(areas) > 0
    assert len(set(areas)) > 5, "masks that never change prove nothing"


@pytest.mark.slow
def test_memory_does_not_grow_and_a_restored_session_goes_on(
    segmenter: LibrarySegmenter, frames: list[RGB], tmp_path: Path
) -> None:
    check_memory_and_restoring(segmenter, frames, tmp_path / "session", 24)


def test_another_models_folder_and_cut_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    SEGMENTER.check(ModelOptions(model_path=folder))
    other = save_small_sam3(tmp_path / "sam3")
    with pytest.raises(RefusedInput, match="says 'sam3_video', not 'edgetam_video'"):
        SEGMENTER.check(ModelOptions(model_path=other))
    for architecture, match in (
        ("hf-hub:someone/evil", "not one of timm's own"),
        ("no_such_model", "no edgetam model"),
    ):
        fetched = tmp_path / architecture.replace("/", "_").replace(":", "_")
        fetched.mkdir()
        for path in folder.iterdir():
            (fetched / path.name).write_bytes(path.read_bytes())
        config = (folder / "config.json").read_text().replace("repvit_m0_9", architecture)
        (fetched / "config.json").write_text(config)
        with pytest.raises(UnsafeFile, match=match):
            load_edgetam(ModelSpec(backend="edgetam", path=fetched))
    half = tmp_path / "half"
    half.mkdir()
    for path in folder.iterdir():
        (half / path.name).write_bytes(path.read_bytes())
    (half / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:5000])
    with pytest.raises(UnsafeFile, match="half: no edgetam model"):
        load_edgetam(ModelSpec(backend="edgetam", path=half))
