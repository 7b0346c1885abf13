"""SAM 2 as a backend: what it needs, and how it is loaded."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

from core.models.backend import Backend, NeededWeights
from core.models.options import USUAL_SAM_IMAGE_SIZE, GeneratorOptions, GeneratorSettings, ModelOptions
from core.models.roles import MaskGenerator, VideoSegmenter
from core.models.spec import ModelSpec
from core.weights.catalogue import find_weights
from core.weights.sam2_names import SAM_TYPES, SamType

if TYPE_CHECKING:
    from sam2.modeling.sam2_base import SAM2Base

_OWN_WEIGHTS = ".safetensors"  # a model of a size of its own, see `own_weights.py`
_OWN, _COMPILED, _FAST = "own", "compiled", "fast"


def _segmenter(spec: ModelSpec) -> VideoSegmenter:
    from core.models.sam2.build import compile_modules
    from core.models.sam2.segmenter import Sam2Segmenter

    model = _model(spec)
    compiled = _COMPILED in spec.variant
    if compiled:
        compile_modules(model)
    return Sam2Segmenter(model, spec.name, compiled=compiled, fast=_FAST in spec.variant)


def _generator(spec: ModelSpec) -> MaskGenerator:
    from core.models.sam2.image import Sam2MaskGenerator

    settings = GeneratorSettings.of_variant([part for part in spec.variant if "=" in part])
    return Sam2MaskGenerator(_model(spec), settings, fast=_FAST in spec.variant)


def _model(spec: ModelSpec) -> "SAM2Base":
    from core.models.device import default_device
    from core.models.sam2.build import build
    from core.models.sam2.checkpoint import load_weights
    from core.models.sam2.own_weights import load_own_weights
    from core.models.sam2.precision import check_fast

    device = default_device()
    if _FAST in spec.variant and device.type == "cpu":
        check_fast()
    size = next((int(part.removesuffix("px")) for part in spec.variant if part.endswith("px")), None)
    if spec.variant[0] == _OWN:
        return load_own_weights(spec.weights, device, size)
    sam_type = cast(SamType, spec.variant[0])
    model = build(sam_type, device, size)
    load_weights(model, spec.weights, sam_type)
    return model


def _check_weights(options: ModelOptions, path: Path) -> None:
    from core.models.device import default_device
    from core.models.sam2.checkpoint import check_checkpoint
    from core.models.sam2.own_weights import check_own_weights
    from core.models.sam2.precision import check_fast

    if path.suffix == _OWN_WEIGHTS:
        check_own_weights(path)
    else:
        check_checkpoint(path, options.sam_type)
    if options.sam_precision == "fast" and default_device().type == "cpu":
        check_fast()


def _weights(options: ModelOptions) -> NeededWeights:
    usual = find_weights(options.sam_type).place()
    path = options.model_path or usual
    there = next((one for one in SAM_TYPES if find_weights(one).place().is_file()), None)
    instead = "" if there is None else f", or choose {there}, which is on disk"
    return NeededWeights((path,), options.sam_type, given=path != usual, instead=instead)


def _variant(options: ModelOptions) -> tuple[str, ...]:
    return *_model_variant(options), *([_COMPILED] if options.sam_compile else [])


def _generator_variant(options: ModelOptions) -> tuple[str, ...]:
    generator = options.generator if isinstance(options, GeneratorOptions) else GeneratorSettings()
    return *_model_variant(options), *generator.as_variant()


def _model_variant(options: ModelOptions) -> tuple[str, ...]:
    """Which model, the side of its square in pixels, and whether it is fast on the CPU."""
    own = options.model_path is not None and options.model_path.suffix == _OWN_WEIGHTS
    size = options.sam_image_size or (None if own else USUAL_SAM_IMAGE_SIZE)
    return (
        _OWN if own else options.sam_type,
        *([] if size is None else [f"{size}px"]),
        *([_FAST] if options.sam_precision == "fast" else []),
    )


SEGMENTER = Backend("sam2", "1", _segmenter, weights=_weights, variant=_variant, check_weights=_check_weights)
GENERATOR = Backend("sam2", "1", _generator, weights=_weights, variant=_generator_variant, check_weights=_check_weights)
