"""D-FINE as a backend: what it needs, and how it is loaded."""

from pathlib import Path

from core.models.detecting import detector_backend
from core.models.family import Family
from core.models.roles import Detector
from core.models.spec import ModelSpec

FAMILY = Family("d-fine", "d_fine", "DFineForObjectDetection", "RTDetrImageProcessor", box_threshold=0.5)


def _load(spec: ModelSpec) -> Detector:
    from core.models.d_fine.detector import load_d_fine

    return load_d_fine(FAMILY, spec)


def _check_text(path: Path, text: str) -> None:
    from core.models.d_fine.words import labels_of, labels_sought

    labels_sought(text, labels_of(path))


DETECTOR = detector_backend(FAMILY, "1", _load, _check_text, by_name_only=True)
