"""The built-in backends, which need no weights."""

from core.models.backend import Backend
from core.models.classical.words import FACE, HUES, MOTION, PERSON, not_understood, targets
from core.models.options import BOX_THRESHOLD, thresholds
from core.models.roles import Detector, MaskGenerator, VideoSegmenter
from core.models.spec import ModelSpec

_OF_GENERATOR = "The built-in generator mends badly spoilt maps and hardly touches good ones; look at the report"
_REMEDY = "`maskflow weights get grounding-dino-tiny` gets one that understands words"


def _detector(spec: ModelSpec) -> Detector:
    from core.models.classical.detector import PEOPLE_THRESHOLD, ClassicalDetector

    return ClassicalDetector(spec.number(BOX_THRESHOLD, PEOPLE_THRESHOLD))


def _check_prompt(prompt: str) -> None:
    """Raises `RefusedInput` for words it does not know."""
    targets(prompt)


def _detector_cautions(prompt: str) -> list[str]:
    """What it makes of the words, and how often it is right: figures of `benchmarks.people`."""
    cautions = not_understood(prompt)
    sought = targets(prompt)
    if PERSON in sought:
        cautions.append(
            "The built-in detector finds people with precision 0.84 and recall 0.42 on street video (MOT15), and is "
            f"wrong far more often on other footage; {_REMEDY}"
        )
    if sought.keys() & HUES.keys():
        cautions.append(f"The built-in detector finds whatever has the colour, whatever it is; {_REMEDY}")
    if FACE in sought or MOTION in sought:
        cautions.append(f"The built-in detector of faces and motion was not measured on real video; {_REMEDY}")
    return cautions


def _segmenter(_: ModelSpec) -> VideoSegmenter:
    from core.models.classical.segmenter import ClassicalSegmenter

    return ClassicalSegmenter()


def _generator(_: ModelSpec) -> MaskGenerator:
    from core.models.classical.generator import ClassicalMaskGenerator

    return ClassicalMaskGenerator()


DETECTOR = Backend(
    "classical",
    "3",
    _detector,
    variant=lambda options: thresholds(options, BOX_THRESHOLD),
    check_prompt=_check_prompt,
    cautions=_detector_cautions,
)
SEGMENTER = Backend("classical", "5", _segmenter)
GENERATOR = Backend(
    "classical",
    "1",
    _generator,
    cautions=lambda _: (_OF_GENERATOR,),
)
