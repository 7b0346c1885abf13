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


DETECTOR = Backend(
    "classical",
    "1",
    _detector,
    check_prompt=_check_prompt,
    caution="The built-in detector knows no nouns: a colour with a noun finds whatever has that colour, and people are "
    "found with precision 0.55 and recall 0.42 (street video, MOT15); `maskflow weights get grounding-dino-tiny` gets "
    "one that understands words",
)
SEGMENTER = Backend("classical", "2", _segmenter)
GENERATOR = Backend(
    "classical",
    "1",
    _generator,
    caution="The built-in generator mends badly spoilt maps and does some harm to good ones: see the report",
)
