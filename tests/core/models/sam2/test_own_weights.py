"""A SAM 2 of a size of its own, from a safetensors file that gives its sizes."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from sam2.modeling.sam2_base import SAM2Base

from core.errors import RefusedInput, UnsafeFile
from core.models.options import ModelOptions
from core.models.registry import SEGMENTERS
from core.models.sam2.architecture import Architecture, build_architecture
from core.models.sam2.own_weights import check_own_weights, load_own_weights, save_own_weights
from core.prompts import Prompt
from core.store.digests import host_digest

CPU = torch.device("cpu")
SIZES = Architecture(
    image_size=64, embed_dim=8, stages=(1, 1, 2, 1), global_attention=(3,), windows=(4, 4, 4, 2), dim=32,
    memory_dim=8, memory_layers=1, fuser_layers=1, feed_forward=16, decoder_heads=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def own_model() -> SAM2Base:
    torch.manual_seed(0)
    return build_architecture(SIZES, CPU)


@pytest.fixture(scope="module")
def weights(own_model: SAM2Base, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "own.safetensors"
    save_own_weights(own_model, SIZES, path, "a test")
    return path


def test_weights_and_sizes_arrive(own_model: SAM2Base, weights: Path) -> None:
    assert check_own_weights(weights) == SIZES
    loaded = load_own_weights(weights, CPU)
    assert loaded.image_size == 64
    for name, tensor in own_model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor.half().float()), name
    assert load_own_weights(weights, CPU, image_size=96).image_size == 96


def test_a_flow_takes_them_by_their_suffix(weights: Path) -> None:
    options = ModelOptions(model_path=weights)
    backend = SEGMENTERS.choose("auto", options)
    backend.check(options)
    assert (backend.name, backend.variant(options)) == ("sam2", ("own",))
    larger = ModelOptions(model_path=weights, sam_image_size=96, sam_precision="fast")
    assert backend.variant(larger) == ("own", "96px", "fast")
    session = SEGMENTERS.load(backend.spec(options, host_digest)).start()
    session.advance(np.zeros((40, 60, 3), np.uint8))
    assert session.add(1, Prompt(box=(5, 5, 30, 30))).mask.shape == (40, 60)


def test_what_is_not_such_a_file_is_refused(weights: Path, tmp_path: Path) -> None:
    backend = SEGMENTERS.choose("sam2", ModelOptions(model_path=weights))

    def refused(path: Path, match: str) -> None:
        with pytest.raises(RefusedInput, match=match):
            backend.check(ModelOptions(model_path=path))
        with pytest.raises((UnsafeFile, RefusedInput)):
            load_own_weights(path, CPU)

    tensors = load_file(weights)
    plain = tmp_path / "plain.safetensors"
    save_file(tensors, plain)
    refused(plain, "its header has no sam2_architecture")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(weights.read_bytes()[:5000])
    refused(cut, "not a safetensors file, or cut short")
    page = tmp_path / "page.safetensors"
    page.write_text("<html>")
    refused(page, "not a safetensors file, or cut short")
    pickled = tmp_path / "pickled.safetensors"
    torch.save({"model": tensors}, pickled)
    refused(pickled, "not a safetensors file, or cut short")
    wrong = tmp_path / "wrong.safetensors"
    save_file(tensors, wrong, {"sam2_architecture": SIZES.model_dump_json().replace('"dim":32', '"dim":33')})
    refused(wrong, "sam2_architecture in its header: dim: ")
    header = SIZES.model_dump_json().replace('"global_attention":[3]', '"global_attention":[2]')
    save_file(tensors, wrong, {"sam2_architecture": header})
    refused(wrong, "global_attention names blocks that begin a stage")


def test_tensors_of_other_sizes_are_refused_by_name(weights: Path, tmp_path: Path) -> None:
    tensors = load_file(weights)
    larger = SIZES.model_copy(update={"feed_forward": 32})
    path = tmp_path / "other.safetensors"
    save_file(tensors, path, {"sam2_architecture": larger.model_dump_json()})
    with pytest.raises(RefusedInput, match=r"does not fit its own sizes: .* is \[16, 32\] instead of \[32, 32\]"):
        check_own_weights(path)


@pytest.mark.parametrize(
    "wrong",
    [{"memory_dim": 12}, {"memory_dim": 9}, {"decoder_heads": 3}, {"windows": (5, 4, 4, 2)}, {"windows": (4, 3, 4, 2)}],
)
def test_sizes_that_do_not_fit_together_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Architecture.model_validate({**SIZES.model_dump(), **wrong})


def test_sizes_that_would_fill_the_memory_are_refused(weights: Path, tmp_path: Path) -> None:
    for claim, match in (({"stages": [10**9, 1, 2, 1]}, "stages"), ({"embed_dim": 256, "stages": [64] * 4}, "too few")):
        header = {"__metadata__": {"sam2_architecture": json.dumps({**SIZES.model_dump(), **claim})}}
        text = json.dumps(header).encode()
        path = tmp_path / "huge.safetensors"
        path.write_bytes(struct.pack("<Q", len(text)) + text)
        with pytest.raises(UnsafeFile, match=match):
            check_own_weights(path)
