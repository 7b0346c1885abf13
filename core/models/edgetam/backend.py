"""EdgeTAM as a backend: what it needs, and how it is loaded."""

import re
from pathlib import Path
from typing import Any

from core.errors import UnsafeFile
from core.models.backend import Backend, weights_in_folder
from core.models.options import ModelOptions
from core.models.roles import VideoSegmenter
from core.models.spec import ModelSpec
from core.store.safe_load import load_json

NAME, MODEL_TYPE, MODEL = "edgetam", "edgetam_video", "EdgeTamVideoModel"


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


def check_backbone(folder: Path) -> None:
    """Raises `UnsafeFile` where the image encoder is not one of the package timm's own, but would be fetched."""
    config: Any = load_json(folder / "config.json")
    try:
        architecture = config["vision_config"]["backbone_config"]["architecture"]
    except (KeyError, TypeError):
        raise UnsafeFile(
            f"{folder / 'config.json'}: it does not name vision_config.backbone_config.architecture"
        ) from None
    if not isinstance(architecture, str) or not re.fullmatch(r"[A-Za-z0-9_.]+", architecture):
        raise UnsafeFile(f"{folder / 'config.json'}: the architecture {architecture!r} is not one of timm's own")


SEGMENTER = Backend(
    NAME, "1", _load, weights=lambda options: weights_in_folder(NAME, options.model_path), check_weights=_check_weights
)
