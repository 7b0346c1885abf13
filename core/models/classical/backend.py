"""The built-in backends, which need no weights."""

from core.models.backend import Backend
from core.models.roles import Detector, MaskGenerator, VideoSegmenter
from core.models.spec import ModelSpec


def _detector(_: ModelSpec) -> Detector:
    from core.models.classical.detector import ClassicalDetector

    return ClassicalDetector()


def _check_prompt(prompt: str) -> None:
    """Raises `RefusedInput` for words it does not know."""
    from core.models.classical.detector import ClassicalDetector

    ClassicalDetector().start(prompt)


def _segmenter(_: ModelSpec) -> VideoSegmenter:
    from core.models.classical.segmenter import ClassicalSegmenter

    return ClassicalSegmenter()


def _generator(_: ModelSpec) -> MaskGenerator:
    from core.models.classical.generator import ClassicalMaskGenerator

    return ClassicalMaskGenerator()


DETECTOR = Backend("classical", "1", _detector, check_prompt=_check_prompt)
SEGMENTER = Backend("classical", "2", _segmenter)
GENERATOR = Backend(
    "classical",
    "1",
    _generator,
    note="The built-in generator mends badly spoilt maps and does some harm to good ones: see the report",
)
