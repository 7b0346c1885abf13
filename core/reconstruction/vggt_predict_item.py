"""The work of one item: what VGGT says of a batch of windows, in one pass where they are equally long."""

from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from core.models.registry import load_reconstructor
from core.models.roles import WindowGeometry
from core.models.spec import ModelSpec
from core.models.vggt.square import make_square
from core.store.safe_load import load_npz
from core.video.image_file import read_image


class PredictRequest(BaseModel):
    """Windows, each a list of images; how many go in one pass."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    windows: list[list[Path]]
    most: int
    model: ModelSpec


def predict_windows(request: dict[str, Any], folder: Path, report: Callable[[int, int | None], None]) -> dict[str, Any]:
    """Leave the geometry of window `n` of the request as `n.npz`.

    Args:
        request: a `PredictRequest` as JSON-able values.
        folder: where the outputs go.
        report: told windows done and expected.

    Returns:
        `windows`: how many; `sizes`: width and height in pixels of each one's images.

    Raises:
        BadMedia: an image cannot be read.
    """
    asked = PredictRequest.model_validate(request)
    model = load_reconstructor(asked.model)
    sizes: list[list[tuple[int, int]]] = []
    done = 0
    for _, chunk in groupby(asked.windows, key=len):
        images = [[read_image(path, upright=False) for path in window] for window in chunk]
        sizes += [[(image.shape[1], image.shape[0]) for image in window] for window in images]
        squares = [[make_square(image) for image in window] for window in images]
        for geometry in model.predict(squares, asked.most):
            write_geometry(folder / f"{done}.npz", geometry)
            done += 1
            report(done, len(asked.windows))
    return {"windows": done, "sizes": sizes}


def write_geometry(path: Path, geometry: WindowGeometry) -> None:
    """As NPZ."""
    np.savez(path, **vars(geometry))


def read_geometry(path: Path) -> WindowGeometry:
    """What `write_geometry` wrote."""
    return WindowGeometry(**load_npz(path, max_bytes=1 << 33))
