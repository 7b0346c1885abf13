"""How each backend is loaded and its weights are looked at. Imports happen inside: choosing must cost nothing."""

from pathlib import Path
from typing import cast

from core.models.roles import Detector, VideoSegmenter
from core.models.sam2.names import SamType
from core.models.spec import ModelOptions, ModelSpec


def classical_detector(_: ModelSpec) -> Detector:
    """The built-in detector."""
    from core.models.classical.detector import ClassicalDetector

    return ClassicalDetector()


def check_classical_prompt(prompt: str) -> None:
    """Raises `RefusedInput` for words it does not know."""
    from core.models.classical.detector import ClassicalDetector

    ClassicalDetector().start(prompt)


def classical_segmenter(_: ModelSpec) -> VideoSegmenter:
    """The built-in segmenter."""
    from core.models.classical.segmenter import ClassicalSegmenter

    return ClassicalSegmenter()


def sam2(spec: ModelSpec) -> VideoSegmenter:
    """SAM 2 with the weights at `spec.path`; the variant is its type, image size, and whether it is compiled."""
    from core.models.device import default_device
    from core.models.sam2.build import build, compile_modules
    from core.models.sam2.checkpoint import load_weights
    from core.models.sam2.segmenter import Sam2Segmenter

    sam_type, size = cast(SamType, spec.variant[0]), int(spec.variant[1].removesuffix("px"))
    model = build(sam_type, default_device(), size)
    load_weights(model, _path(spec), sam_type)
    compiled = "compiled" in spec.variant
    if compiled:
        compile_modules(model)
    return Sam2Segmenter(model, spec.name, compiled=compiled)


def check_sam2(options: ModelOptions, path: Path) -> None:
    """See `check_checkpoint`."""
    from core.models.sam2.checkpoint import check_checkpoint

    check_checkpoint(path, options.sam_type)


def grounding_dino(spec: ModelSpec) -> Detector:
    """Grounding DINO from the folder at `spec.path`."""
    from core.models.device import default_device
    from core.models.grounding_dino.detector import load_grounding_dino

    return load_grounding_dino(_path(spec), default_device())


def check_grounding_dino(_: ModelOptions, path: Path) -> None:
    """See `check_folder`; also that the installed library knows the model."""
    from core.models.grounding_dino.detector import MODEL_TYPE, WHAT
    from core.models.pretrained import from_transformers
    from core.weights.folder import check_folder

    check_folder(path, WHAT, MODEL_TYPE)
    from_transformers("GroundingDinoForObjectDetection", WHAT)


def sam3_detector(spec: ModelSpec) -> Detector:
    """SAM 3's detector from the folder at `spec.path`."""
    from core.models.device import default_device
    from core.models.sam3.detector import load_sam3_detector

    return load_sam3_detector(_path(spec), default_device())


def sam3_segmenter(spec: ModelSpec) -> VideoSegmenter:
    """SAM 3's tracker from the folder at `spec.path`."""
    from core.models.device import default_device
    from core.models.sam3.segmenter import load_sam3_segmenter

    return load_sam3_segmenter(_path(spec), default_device(), spec.name)


def check_sam3(_: ModelOptions, path: Path) -> None:
    """See `check_folder`; also that the installed library knows the model."""
    from core.models.pretrained import from_transformers
    from core.models.sam3.detector import MODEL_TYPE, WHAT
    from core.weights.folder import check_folder

    check_folder(path, WHAT, MODEL_TYPE)
    from_transformers("Sam3TrackerVideoModel", WHAT)


def _path(spec: ModelSpec) -> Path:
    assert spec.path is not None, f"{spec.backend} has weights"
    return spec.path
