"""What EdgeTAM is called, and what its folder may hold."""

import re
from pathlib import Path
from typing import Any

from core.errors import UnsafeFile
from core.store.safe_load import load_json

NAME, MODEL_TYPE, MODEL = "edgetam", "edgetam_video", "EdgeTamVideoModel"


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
