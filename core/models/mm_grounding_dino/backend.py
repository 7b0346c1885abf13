"""MM Grounding DINO as a backend: Grounding DINO's adapter with another class and other thresholds."""

from functools import partial

from core.models.detecting import detector_backend
from core.models.family import Family
from core.models.grounding_dino.backend import SETTINGS, check_text
from core.models.roles import Detector
from core.models.spec import ModelSpec

FAMILY = Family(
    "mm-grounding-dino",
    "mm-grounding-dino",
    "MMGroundingDinoForObjectDetection",
    "GroundingDinoProcessor",
    box_threshold=0.4,
    text_threshold=0.3,
)


def _load(spec: ModelSpec) -> Detector:
    from core.models.grounding_dino.detector import load_grounding_dino

    return load_grounding_dino(FAMILY, spec)


DETECTOR = detector_backend(FAMILY, "1", _load, partial(check_text, FAMILY), settings=SETTINGS)
