"""The work of one item: the focal length by the matches of all frames."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from core.geometry.colmap import pycolmap
from core.geometry.sim3 import Array
from core.item import Record, item
from core.progress import Progress
from core.reconstruction.database import write_camera, write_image
from core.reconstruction.features import Features
from core.reconstruction.matching import PairGeometry
from core.reconstruction.pairs import read_pairs
from core.reconstruction.settings import DEFAULT_FOCAL, FrameRequest, MatchFile
from core.reconstruction.windowing import Pair

_PLAUSIBLE = (0.4, 4.0)
_LEAST_PAIRS = 3
_MOST_PAIRS = 500
_ERROR_PX = 1.0
_GRID = 120
_CLEAR = 1.05  # of the ends of what is plausible
_UNCALIBRATED = int(pycolmap.TwoViewGeometryConfiguration.UNCALIBRATED)


Keypoints = npt.NDArray[np.float32]


class CameraRequest(BaseModel):
    """All frames and matches."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    frames: list[FrameRequest]
    matches: list[MatchFile]


@item(CameraRequest)
def calibrate(request: CameraRequest, folder: Path, report: Progress) -> Record:  # noqa: ARG001
    """Estimate the focal length from fundamental matrices (COLMAP's view graph calibration).

    Over the frames of the most frequent size, with square pixels and the principal point in the middle. Where too few
    pairs have a fundamental matrix (no parallax, or flat scenes), COLMAP's usual guess of 1.2 longer sides is taken.

    Returns:
        `focal`: as a share of the longer side, to a hundredth; `pairs`: it was estimated from; `source`: "estimated" or
        "default".
    """
    sizes = Counter((frame.width, frame.height) for frame in request.frames if frame.features is not None)
    if sizes:
        size = max(sorted(sizes), key=lambda one: sizes[one])
        frames = [
            frame for frame in request.frames if (frame.width, frame.height) == size and frame.features is not None
        ]
        wanted = {frame.number for frame in frames}
        pairs = [pair for file in request.matches for pair in read_pairs(file, wanted)]
        pairs = [pair for pair in pairs if pair[1].config == _UNCALIBRATED]
        if len(pairs) >= _LEAST_PAIRS:
            focal = estimate_focal(frames, pairs[:: max(1, -(-len(pairs) // _MOST_PAIRS))]) / max(size)
            if _PLAUSIBLE[0] * _CLEAR < focal < _PLAUSIBLE[1] / _CLEAR:
                # A frame that is added later then seldom changes it, and with it every window.
                return {"focal": round(focal, 2), "pairs": len(pairs), "source": "estimated"}
    return {"focal": DEFAULT_FOCAL, "pairs": 0, "source": "default"}


def estimate_focal(frames: Sequence[FrameRequest], pairs: Sequence[tuple[Pair, PairGeometry]]) -> float:
    """The focal length in pixels: the best of a grid, refined by COLMAP's view graph calibration."""
    width, height = frames[0].width, frames[0].height
    keypoints = {
        frame.number: Features.read(frame.features).keypoints[:, :2] for frame in frames if frame.features is not None
    }
    matrices = [_fundamental(geometry, keypoints[one], keypoints[other]) for (one, other), geometry in pairs]
    start = best_focal(np.array(matrices), width, height)
    with tempfile.TemporaryDirectory(prefix="maskflow-") as folder:
        path = Path(folder) / "database.db"
        with pycolmap.Database.open(path) as database, pycolmap.DatabaseTransaction(database):
            camera = pycolmap.Camera.create_from_model_name(1, "SIMPLE_PINHOLE", start, width, height)
            write_camera(database, camera)
            for frame in frames:
                write_image(database, frame, camera.camera_id)
            for ((one, other), geometry), matrix in zip(pairs, matrices, strict=True):
                found = pycolmap.TwoViewGeometry(config=geometry.config, inlier_matches=geometry.matches, F=matrix)
                database.write_two_view_geometry(one + 1, other + 1, found)
        options = pycolmap.ViewGraphCalibrationOptions()
        options.random_seed = 0
        options.reestimate_relative_pose = False
        pycolmap.calibrate_view_graph(path, options)
        with pycolmap.Database.open(path) as database:
            return float(database.read_camera(1).mean_focal_length())


def best_focal(fundamental: Array, width: int, height: int) -> float:
    """The focal length in pixels with which matrices [P, 3, 3] are most nearly essential ones.

    An essential matrix has two equal singular values (Huang and Faugeras, PAMI 1989): by the median over the pairs of
    how far these are from equal. The search over all plausible values does not stick to a first guess.
    """
    grid = np.geomspace(*_PLAUSIBLE, _GRID) * max(width, height)

    def cost(focal: float) -> float:
        camera = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
        values = np.linalg.svd(camera.T @ fundamental @ camera, compute_uv=False)
        return float(np.median(1 - values[:, 1] / values[:, 0]))

    best = min(grid, key=cost)
    return DEFAULT_FOCAL * max(width, height) if best in (grid[0], grid[-1]) else float(best)  # at an end it is no best


def _fundamental(geometry: PairGeometry, one: Keypoints, other: Keypoints) -> Array:
    """The pair's fundamental matrix to within a pixel: the matches were verified more loosely."""
    first, second = one[geometry.matches[:, 0]].astype(np.float64), other[geometry.matches[:, 1]].astype(np.float64)
    try:
        found, _ = cv2.findFundamentalMat(first, second, cv2.USAC_MAGSAC, _ERROR_PX, 0.999, 2000)
    except cv2.error:  # its assertion that a model was found, which should have been an answer
        found = None
    return geometry.matrices[0] if found is None else np.asarray(found, np.float64)
