"""SAM 3 LiteText as a backend: SAM 3's adapter with another class."""

from pathlib import Path

from core.models.detecting import detector_backend
from core.models.family import Family
from core.models.roles import Detector
from core.models.spec import ModelSpec

FAMILY = Family("sam3-lite-text", "sam3_lite_text", "Sam3LiteTextModel", "Sam3Processor", box_threshold=0.5)


def _load(spec: ModelSpec) -> Detector:
    from core.models.sam3.detector import load_lone_detector

    return load_lone_detector(FAMILY, spec)


def _check_text(path: Path, text: str) -> None:
    from core.models.sam3.detector import check_text

    check_text(FAMILY, path, text, "text_config", "max_position_embeddings")


DETECTOR = detector_backend(FAMILY, "1", _load, _check_text)
