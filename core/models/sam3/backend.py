"""SAM 3 as a backend: what it needs, and how it is loaded. Detector and segmenter are one model in memory."""

from pathlib import Path

from core.models.backend import Backend, NeededWeights, weights_in_folder
from core.models.detecting import detector_backend
from core.models.options import ModelOptions
from core.models.roles import Detector, VideoSegmenter
from core.models.sam3.family import FAMILY
from core.models.spec import ModelSpec


def _detector(spec: ModelSpec) -> Detector:
    from core.models.sam3.detector import load_sam3_detector

    return load_sam3_detector(spec)


def _segmenter(spec: ModelSpec) -> VideoSegmenter:
    from core.models.sam3.segmenter import load_sam3_segmenter

    return load_sam3_segmenter(spec)


def check_text(path: Path, text: str) -> None:
    """Raises `RefusedInput` for a phrase that is longer than the model at `path` reads."""
    from core.models.sam3 import detector

    detector.check_text(FAMILY, path, text, "detector_config", "text_config", "max_position_embeddings")


def _segmenter_weights(options: ModelOptions) -> NeededWeights:
    return weights_in_folder(FAMILY.name, options.model_path)


DETECTOR = detector_backend(FAMILY, "2", _detector, check_text)
SEGMENTER = Backend(FAMILY.name, "2", _segmenter, weights=_segmenter_weights, check_weights=DETECTOR.check_weights)
