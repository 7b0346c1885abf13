"""Local features of one frame: SIFT keypoints, descriptors, colours."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from core.errors import BadMedia
from core.geometry.colmap import pycolmap
from core.reconstruction.settings import FeatureSettings
from core.store.safe_load import load_npz
from core.video.frames import RGB


@dataclass(frozen=True, eq=False)
class Features:
    """Features of a frame; their position in these arrays is their number in every model and match.

    Attributes:
        keypoints: float32 [N, 4]: x, y in pixels of the source (the centre of the first pixel is 0.5, 0.5), scale,
            orientation in radians.
        descriptors: uint8 [N, 128], RootSIFT times 512.
        colours: uint8 [N, 3], RGB at the keypoint.
    """

    keypoints: npt.NDArray[np.float32]
    descriptors: npt.NDArray[np.uint8]
    colours: npt.NDArray[np.uint8]

    def write(self, path: Path) -> None:
        """As NPZ."""
        np.savez(path, keypoints=self.keypoints, descriptors=self.descriptors, colours=self.colours)

    @staticmethod
    def read(path: Path) -> "Features":
        """What `write` wrote."""
        found = load_npz(path)
        return Features(found["keypoints"], found["descriptors"], found["colours"])


class Extractor:
    """COLMAP's SIFT on the CPU, on one thread: the same image gives the same features, whatever runs beside it."""

    def __init__(self, settings: FeatureSettings) -> None:
        self._most_pixels = settings.max_image_size
        self._most_features = settings.max_features
        options = pycolmap.FeatureExtractionOptions()
        options.use_gpu = False
        options.num_threads = 1
        options.sift.max_num_features = settings.max_features
        self._extractor = pycolmap.FeatureExtractor.create(options, pycolmap.Device.cpu)

    def extract(self, image: RGB, mask: npt.NDArray[np.bool_] | None = None) -> Features:
        """Features of an image [H, W, 3]; none where `mask` [H, W] is False (moving objects, say).

        Raises:
            BadMedia: the mask is of another size.
        """
        height, width = image.shape[:2]
        if mask is not None and mask.shape != (height, width):
            raise BadMedia(f"its mask has {mask.shape[1]}x{mask.shape[0]} pixels, the image {width}x{height}")
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        scale = min(1.0, self._most_pixels / max(height, width))
        if scale < 1:
            small = max(1, round(width * scale)), max(1, round(height * scale))
            grey = cv2.resize(grey, small, interpolation=cv2.INTER_AREA)
        found, described = self._extractor.extract_from_uint8_array(np.ascontiguousarray(grey, dtype=np.uint8))
        keypoints = np.array(pycolmap.keypoints_to_matrix(found), np.float32).reshape(-1, 4)
        keypoints[:, :2] *= np.array([width / grey.shape[1], height / grey.shape[0]], np.float32)
        keypoints[:, 2] /= np.float32(scale)
        x = np.clip(keypoints[:, 0].astype(np.intp), 0, width - 1)
        y = np.clip(keypoints[:, 1].astype(np.intp), 0, height - 1)
        kept = np.ones(len(keypoints), np.bool_) if mask is None else mask[y, x]
        kept[np.argsort(-keypoints[:, 2] * kept, kind="stable")[self._most_features :]] = (
            False  # COLMAP keeps whole octaves
        )
        descriptors = np.array(described.data, np.uint8).reshape(-1, 128)
        return Features(keypoints[kept], descriptors[kept], np.ascontiguousarray(image[y, x][kept]))
