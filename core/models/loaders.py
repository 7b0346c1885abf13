"""How each backend is loaded and its weights are looked at. Imports happen inside: choosing must cost nothing."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

from core.models.roles import Detector, MaskGenerator, PointTracker, VideoSegmenter, WindowReconstructor
from core.models.spec import GeneratorSettings, ModelOptions, ModelSpec
from core.weights.sam2_names import SamType

if TYPE_CHECKING:
    from sam2.modeling.sam2_base import SAM2Base


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
    from core.models.sam2.build import compile_modules
    from core.models.sam2.segmenter import Sam2Segmenter

    model = _sam2_model(spec)
    compiled = "compiled" in spec.variant
    if compiled:
        compile_modules(model)
    return Sam2Segmenter(model, spec.name, compiled=compiled)


def sam2_generator(spec: ModelSpec) -> MaskGenerator:
    """SAM 2's mask generator; the variant is its type, image size, and its settings."""
    from core.models.sam2.image import Sam2MaskGenerator

    return Sam2MaskGenerator(_sam2_model(spec), GeneratorSettings.of_variant(spec.variant[2:]))


def classical_generator(_: ModelSpec) -> MaskGenerator:
    """The built-in mask generator."""
    from core.models.classical.generator import ClassicalMaskGenerator

    return ClassicalMaskGenerator()


def _sam2_model(spec: ModelSpec) -> "SAM2Base":
    from core.models.device import default_device
    from core.models.sam2.build import build
    from core.models.sam2.checkpoint import load_weights

    sam_type, size = cast(SamType, spec.variant[0]), int(spec.variant[1].removesuffix("px"))
    model = build(sam_type, default_device(), size)
    load_weights(model, _path(spec), sam_type)
    return model


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


def check_grounding_dino_text(path: Path, text: str) -> None:
    """Raises `RefusedInput` for a text that is longer than the model reads."""
    from core.models.grounding_dino.detector import WHAT, check_text
    from core.models.pretrained import config_number, load_processor

    check_text(
        text, load_processor("GroundingDinoProcessor", WHAT, path).tokenizer, config_number(path, "max_text_len")
    )


def check_sam3_text(path: Path, text: str) -> None:
    """Raises `RefusedInput` for a phrase that is longer than the model reads."""
    from core.models.pretrained import config_number, load_processor
    from core.models.sam3.detector import WHAT, check_tokens

    longest = config_number(path, "detector_config", "text_config", "max_position_embeddings")
    check_tokens(text, load_processor("Sam3Processor", WHAT, path).tokenizer, longest)


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


def vggt(spec: ModelSpec) -> WindowReconstructor:
    """VGGT with the weights at `spec.path`."""
    from core.models.vggt.model import Vggt

    assert spec.path is not None
    return Vggt.load(spec.path)


def point_tracker(spec: ModelSpec) -> PointTracker:
    """The point tracker of this name, with the weights at `spec.path` where it has some."""
    if spec.backend == "lk":
        from core.models.points.lk import LucasKanade

        return LucasKanade()
    path = _path(spec)
    if spec.backend == "mvtracker":
        from core.models.points.mvtracker import load_mvtracker

        return load_mvtracker(path)
    if spec.backend == "spatialtrackerv2":
        from core.models.points.spatialtrackerv2 import load_spatialtrackerv2

        return load_spatialtrackerv2(path)
    from core.models.points.cotracker3 import load_cotracker3

    return load_cotracker3(path, online=spec.backend == "cotracker3_online")
