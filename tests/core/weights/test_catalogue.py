import re
from pathlib import Path

import pytest

from core.errors import RefusedInput
from core.weights.catalogue import UNFETCHED_WEIGHTS, WEIGHTS, find_weights, sam2_path
from core.weights.sam2_names import SAM_TYPES


def test_every_entry_is_complete() -> None:
    assert set(SAM_TYPES) < {weights.name for weights in WEIGHTS}
    for weights in WEIGHTS:
        assert weights.licence
        for file in weights.files:
            assert file.url.startswith("https://")
            assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
            assert file.size_bytes is None or file.size_bytes > 0
            assert file.size_bytes is not None or Path(file.path).suffix == ".json"
            assert not Path(file.path).is_absolute()
        assert all(Path(file.path).suffix not in (".safetensors", ".pt") for file in weights.files[:-1]), "come last"


def test_the_place_is_what_a_flow_takes() -> None:
    large = find_weights("sam2.1_hiera_large")
    assert large.place() == Path("models/sam2/checkpoints/sam2.1_hiera_large.pt")  # the documented default
    assert large.files[0].path == sam2_path("sam2.1_hiera_large")
    assert find_weights("grounding-dino-tiny").place(Path("m")) == Path("m/grounding-dino-tiny")


def test_weights_that_are_not_fetched_say_where_they_are() -> None:
    for own in UNFETCHED_WEIGHTS:
        with pytest.raises(RefusedInput, match=f"put the folder of {own.page} at models/{own.name}/"):
            find_weights(own.name)


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(RefusedInput, match=r"one of .*grounding-dino-tiny"):
        find_weights("gpt")
