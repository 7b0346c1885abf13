"""EdgeTAM as a backend: what it needs, and how it is loaded."""

from pathlib import Path

from core.models.backend import Backend, weights_in_folder
from core.models.edgetam.names import MODEL, MODEL_TYPE, NAME, check_backbone
from core.models.options import ModelOptions
from core.models.roles import VideoSegmenter
from core.models.spec import ModelSpec


def _load(spec: ModelSpec) -> VideoSegmenter:
    from core.models.edgetam.segmenter import load_edgetam

    return load_edgetam(spec)


def _check_weights(_: ModelOptions, path: Path) -> None:
    """See `check_folder`; also that the installed library knows the model."""
    from core.models.pretrained import from_transformers
    from core.weights.folder import check_folder

    check_folder(path, NAME, MODEL_TYPE)
    check_backbone(path)
    from_transformers(MODEL, NAME)


SEGMENTER = Backend(
    NAME, "1", _load, weights=lambda options: weights_in_folder(NAME, options.model_path), check_weights=_check_weights
)
