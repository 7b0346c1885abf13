"""SAM 2 as a backend: what it needs, and how it is loaded."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

from core.models.backend import Backend, NeededWeights
from core.models.options import GeneratorOptions, GeneratorSettings, ModelOptions
from core.models.roles import MaskGenerator, VideoSegmenter
from core.models.spec import ModelSpec
from core.weights.catalogue import find_weights
from core.weights.sam2_names import SAM_TYPES, SamType

if TYPE_CHECKING:
    from sam2.modeling.sam2_base import SAM2Base


def _segmenter(spec: ModelSpec) -> VideoSegmenter:
    from core.models.sam2.build import compile_modules
    from core.models.sam2.segmenter import Sam2Segmenter

    model = _model(spec)
    compiled = "compiled" in spec.variant
    if compiled:
        compile_modules(model)
    return Sam2Segmenter(model, spec.name, compiled=compiled)


def _generator(spec: ModelSpec) -> MaskGenerator:
    from core.models.sam2.image import Sam2MaskGenerator

    return Sam2MaskGenerator(_model(spec), GeneratorSettings.of_variant(spec.variant[2:]))


def _model(spec: ModelSpec) -> "SAM2Base":
    from core.models.device import default_device
    from core.models.sam2.build import build
    from core.models.sam2.checkpoint import load_weights

    sam_type, size = cast(SamType, spec.variant[0]), int(spec.variant[1].removesuffix("px"))
    model = build(sam_type, default_device(), size)
    load_weights(model, spec.weights, sam_type)
    return model


def _check_weights(options: ModelOptions, path: Path) -> None:
    from core.models.sam2.checkpoint import check_checkpoint

    check_checkpoint(path, options.sam_type)


def _weights(options: ModelOptions) -> NeededWeights:
    usual = find_weights(options.sam_type).place()
    path = options.model_path or usual
    there = next((one for one in SAM_TYPES if find_weights(one).place().is_file()), None)
    instead = "" if there is None else f", or choose {there}, which is on disk"
    return NeededWeights((path,), options.sam_type, given=path != usual, instead=instead)


def _variant(options: ModelOptions) -> tuple[str, ...]:
    return options.sam_type, f"{options.sam_image_size}px", *(["compiled"] if options.sam_compile else [])


def _generator_variant(options: ModelOptions) -> tuple[str, ...]:
    generator = options.generator if isinstance(options, GeneratorOptions) else GeneratorSettings()
    return options.sam_type, f"{options.sam_image_size}px", *generator.as_variant()


SEGMENTER = Backend("sam2", "1", _segmenter, weights=_weights, variant=_variant, check_weights=_check_weights)
GENERATOR = Backend("sam2", "1", _generator, weights=_weights, variant=_generator_variant, check_weights=_check_weights)
