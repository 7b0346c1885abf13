"""Grounding DINO as a backend: what it needs, and how it is loaded."""

from pathlib import Path

from core.models.backend import Backend, NeededWeights, weights_in_folder
from core.models.options import BOX_THRESHOLD, ModelOptions
from core.models.phrases import check_phrases
from core.models.roles import Detector
from core.models.spec import ModelSpec


def _load(spec: ModelSpec) -> Detector:
    from core.models.device import default_device
    from core.models.grounding_dino.detector import USUAL_THRESHOLD, load_grounding_dino

    return load_grounding_dino(spec.weights, default_device(), spec.number(BOX_THRESHOLD, USUAL_THRESHOLD))


def _check_weights(_: ModelOptions, path: Path) -> None:
    """See `check_folder`; also that the installed library knows the model."""
    from core.models.grounding_dino.detector import MODEL_TYPE, WHAT
    from core.models.pretrained import from_transformers
    from core.weights.folder import check_folder

    check_folder(path, WHAT, MODEL_TYPE)
    from_transformers("GroundingDinoForObjectDetection", WHAT)


def check_text(path: Path, text: str) -> None:
    """Raises `RefusedInput` for a text that is longer than the model at `path` reads."""
    from core.models.grounding_dino import detector
    from core.models.pretrained import config_number, load_processor

    tokenizer = load_processor("GroundingDinoProcessor", detector.WHAT, path).tokenizer
    detector.check_text(text, tokenizer, config_number(path, "max_text_len"))


def _weights(options: ModelOptions) -> NeededWeights:
    """The larger model where it is there, unless a folder is given."""
    base = weights_in_folder("grounding-dino-base", None)
    tiny = weights_in_folder("grounding-dino-tiny", options.detector_path)
    return base if base.found is not None and not tiny.given else tiny


DETECTOR = Backend(
    "grounding-dino",
    "1",
    _load,
    weights=_weights,
    variant=lambda options: options.of_detector,
    check_weights=_check_weights,
    check_prompt=check_phrases,
    check_text=check_text,
)
