"""OWLv2 as a backend: what it needs, and how it is loaded."""

from pathlib import Path

from core.models.detecting import detector_backend
from core.models.family import Family
from core.models.roles import Detector
from core.models.spec import ModelSpec

FAMILY = Family("owlv2", "owlv2", "Owlv2ForObjectDetection", "Owlv2Processor", box_threshold=0.1)


def _load(spec: ModelSpec) -> Detector:
    from core.models.owlv2.detector import load_owlv2

    return load_owlv2(FAMILY, spec)


def _check_text(path: Path, text: str) -> None:
    from core.models.owlv2.detector import check_text
    from core.models.pretrained import config_number, load_processor

    tokenizer = load_processor(FAMILY.processor, FAMILY.name, path).tokenizer
    check_text(text, tokenizer, config_number(path, "text_config", "max_position_embeddings"))


DETECTOR = detector_backend(FAMILY, "1", _load, _check_text)
