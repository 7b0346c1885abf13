"""SAM 3 as a backend: what it needs, and how it is loaded."""

from pathlib import Path

from core.models.backend import Backend, NeededWeights, weights_in_folder
from core.models.options import BOX_THRESHOLD, ModelOptions
from core.models.phrases import check_phrases
from core.models.roles import Detector, VideoSegmenter
from core.models.spec import ModelSpec


def _detector(spec: ModelSpec) -> Detector:
    from core.models.device import default_device
    from core.models.sam3.detector import USUAL_THRESHOLD, load_sam3_detector

    return load_sam3_detector(spec.weights, default_device(), spec.number(BOX_THRESHOLD, USUAL_THRESHOLD))


def _segmenter(spec: ModelSpec) -> VideoSegmenter:
    from core.models.device import default_device
    from core.models.sam3.segmenter import load_sam3_segmenter

    return load_sam3_segmenter(spec.weights, default_device(), spec.name)


def _check_weights(_: ModelOptions, path: Path) -> None:
    """See `check_folder`; also that the installed library knows the model."""
    from core.models.pretrained import from_transformers
    from core.models.sam3.detector import MODEL_TYPE, WHAT
    from core.weights.folder import check_folder

    check_folder(path, WHAT, MODEL_TYPE)
    from_transformers("Sam3TrackerVideoModel", WHAT)


def check_text(path: Path, text: str) -> None:
    """Raises `RefusedInput` for a phrase that is longer than the model at `path` reads."""
    from core.models.pretrained import config_number, load_processor
    from core.models.sam3.detector import WHAT, check_tokens

    longest = config_number(path, "detector_config", "text_config", "max_position_embeddings")
    check_tokens(text, load_processor("Sam3Processor", WHAT, path).tokenizer, longest)


def _detector_weights(options: ModelOptions) -> NeededWeights:
    return weights_in_folder("sam3", options.detector_path)


def _segmenter_weights(options: ModelOptions) -> NeededWeights:
    return weights_in_folder("sam3", options.model_path)


DETECTOR = Backend(
    "sam3",
    "1",
    _detector,
    weights=_detector_weights,
    variant=lambda options: options.of_detector,
    check_weights=_check_weights,
    check_prompt=check_phrases,
    check_text=check_text,
)
SEGMENTER = Backend("sam3", "1", _segmenter, weights=_segmenter_weights, check_weights=_check_weights)
