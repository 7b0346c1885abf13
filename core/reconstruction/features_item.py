"""The work of one item: the features of a few frames."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from core.errors import BadMedia
from core.geometry.colmap import pycolmap
from core.item import Record, item
from core.progress import Progress
from core.reconstruction.features import Extractor
from core.reconstruction.settings import FeatureSettings
from core.video.image_file import read_image


class FrameFiles(BaseModel):
    """A frame's image, and the mask of what counts in it (0: ignored), if there is one."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    image: Path
    mask: Path | None = None


class FeaturesRequest(BaseModel):
    """The frames of an item."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    frames: list[FrameFiles]
    settings: FeatureSettings


@item(FeaturesRequest)
def extract_features(request: FeaturesRequest, folder: Path, report: Progress) -> Record:
    """Leave the features of frame `n` of the request as `n.npz`.

    Images are taken as stored, not turned by what EXIF says: their pixels are what a COLMAP model refers to.

    Returns:
        `frames`: for each of the request `features` (how many), `width`, `height`, `focal_px` (by EXIF, or null), and
        `failed`: why it has none, or null.
    """
    extractor = Extractor(request.settings)
    records = []
    for number, files in enumerate(request.frames):
        try:
            image = read_image(files.image, upright=False)
            features = extractor.extract(image, None if files.mask is None else _read_mask(files.mask))
            features.write(folder / f"{number}.npz")
            found = {"features": len(features.keypoints), "width": image.shape[1], "height": image.shape[0]}
            records.append({**found, "focal_px": _focal_px(files.image), "failed": None})
        except BadMedia as error:
            records.append({"features": 0, "width": 0, "height": 0, "focal_px": None, "failed": str(error)})
        report(number + 1, len(request.frames))
    return {"frames": records}


def _read_mask(path: Path) -> npt.NDArray[np.bool_]:
    return np.asarray(cv2.cvtColor(read_image(path, upright=False), cv2.COLOR_RGB2GRAY) > 0)


def _focal_px(image: Path) -> float | None:
    """Focal length that the camera wrote into the file, in pixels."""
    try:
        camera = pycolmap.infer_camera_from_image(image)
    except (ValueError, RuntimeError):
        return None
    return float(camera.mean_focal_length()) if camera.has_prior_focal_length else None
