"""The work of one item: what VGGT says of a batch of windows, in one pass where they are equally long."""

from itertools import groupby
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from core.errors import BadMedia
from core.item import Record, item
from core.models.registry import RECONSTRUCTORS
from core.models.roles import WindowGeometry
from core.models.spec import ModelSpec
from core.models.vggt.square import make_square
from core.progress import Progress
from core.store.safe_load import load_npz
from core.video.frames import RGB
from core.video.image_file import read_image


class PredictRequest(BaseModel):
    """Windows, each a list of images; how many go in one pass."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    windows: list[list[Path]]
    most: int
    model: ModelSpec


@item(PredictRequest)
def predict_windows(request: PredictRequest, folder: Path, report: Progress) -> Record:
    """Leave the geometry of window `n` of the request as `n.npz`, without the images that cannot be read.

    Returns:
        `windows`: for each, of each image in order, `[width, height]` in pixels, or why it cannot be read. A window
        without images has no file.
    """
    read = [[_read(path) for path in window] for window in request.windows]
    squares = [[one[0] for one in window if one[0] is not None] for window in read]
    model = RECONSTRUCTORS.load(request.model)
    done = 0
    for length, chunk in groupby(sorted(range(len(squares)), key=lambda n: len(squares[n])), lambda n: len(squares[n])):
        numbers = list(chunk)
        predicted = model.predict([squares[n] for n in numbers], request.most) if length else []
        for number, geometry in zip(numbers, predicted, strict=bool(length)):
            write_geometry(folder / f"{number}.npz", geometry)
        done += len(numbers)
        report(done, len(squares))
    return {"windows": [[size for _, size in window] for window in read]}


def _read(path: Path) -> tuple[RGB | None, list[int] | str]:
    try:
        image = read_image(path, upright=False)
    except BadMedia as error:
        return None, str(error)
    return make_square(image), [image.shape[1], image.shape[0]]


def write_geometry(path: Path, geometry: WindowGeometry) -> None:
    """As NPZ."""
    np.savez(path, **vars(geometry))


def read_geometry(path: Path) -> WindowGeometry:
    """What `write_geometry` wrote."""
    return WindowGeometry(**load_npz(path, max_bytes=1 << 33))
