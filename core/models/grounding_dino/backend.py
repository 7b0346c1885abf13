"""Grounding DINO as a backend: what it needs, and how it is loaded."""

from functools import partial
from pathlib import Path

from core.models.backend import NeededWeights, weights_in_folder
from core.models.detecting import detector_backend
from core.models.family import Family
from core.models.options import BOX_THRESHOLD, TEXT_THRESHOLD, ModelOptions
from core.models.roles import Detector
from core.models.spec import ModelSpec

FAMILY = Family(
    "grounding-dino",
    "grounding-dino",
    "GroundingDinoForObjectDetection",
    "GroundingDinoProcessor",
    box_threshold=0.35,
    text_threshold=0.25,
)
SETTINGS = (BOX_THRESHOLD, TEXT_THRESHOLD)


def _load(spec: ModelSpec) -> Detector:
    from core.models.grounding_dino.detector import load_grounding_dino

    return load_grounding_dino(FAMILY, spec)


def check_text(family: Family, path: Path, text: str) -> None:
    """Raises `RefusedInput` for a phrase that is longer than the model at `path` reads."""
    from core.models.grounding_dino import detector
    from core.models.pretrained import config_number, load_processor

    tokenizer = load_processor(family.processor, family.name, path).tokenizer
    detector.check_text(text, tokenizer, config_number(path, "max_text_len"))


def _weights(options: ModelOptions) -> NeededWeights:
    """The larger model where it is there, unless a folder is given."""
    base = weights_in_folder("grounding-dino-base", None)
    tiny = weights_in_folder("grounding-dino-tiny", options.detector_path)
    return base if base.found is not None and not tiny.given else tiny


DETECTOR = detector_backend(FAMILY, "2", _load, partial(check_text, FAMILY), weights=_weights, settings=SETTINGS)
