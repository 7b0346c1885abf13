import pytest

from core.errors import RefusedInput
from core.models.registry import DETECTORS, SEGMENTERS, choose, load_detector, load_segmenter


def test_auto_takes_what_can_run_here() -> None:
    assert choose("detector", "auto", DETECTORS).name == "classical"
    assert choose("segmenter", "auto", SEGMENTERS).name == "classical"


@pytest.mark.parametrize("name", ["grounding-dino", "sam3"])
def test_a_neural_detector_is_refused_with_the_way_out(name: str) -> None:
    with pytest.raises(RefusedInput, match=rf"detector = '{name}' cannot be used.*use classical"):
        choose("detector", name, DETECTORS)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RefusedInput, match=r"segmenter = 'sam9'.*auto, sam2, classical"):
        choose("segmenter", "sam9", SEGMENTERS)


def test_models_are_loaded_once() -> None:
    assert load_detector("classical") is load_detector("classical")
    assert load_segmenter("classical") is load_segmenter("classical")
