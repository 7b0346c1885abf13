"""The work of one item: matching some pairs of frames, each once for all windows."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from core.item import Record, item
from core.progress import Progress
from core.reconstruction.features import Features
from core.reconstruction.matching import PairGeometry, mutual_matches, verify
from core.reconstruction.pairs import write_pairs
from core.reconstruction.settings import PAIRS_FILE


class FrameFeatures(BaseModel):
    """A frame's features on disk, and its size in pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    features: Path
    width: int
    height: int


class PairsRequest(BaseModel):
    """Frames, and pairs of them by position."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    frames: list[FrameFeatures]
    pairs: list[tuple[int, int]]


@item(PairsRequest)
def match_pairs(request: PairsRequest, folder: Path, report: Progress) -> Record:
    """Leave the verified matches of all pairs as `pairs.npz`.

    Returns:
        `pairs`: how many were tried; `verified`: how many share a two-view geometry; `inliers`: their matches.
    """

    @lru_cache(maxsize=64)
    def load(number: int) -> tuple[Features, np.typing.NDArray[np.float32]]:
        features = Features.read(request.frames[number].features)
        return features, features.descriptors.astype(np.float32)

    pairs, found = [], list[PairGeometry]()
    for done, (one, other) in enumerate(request.pairs):
        first, second = load(one), load(other)
        matches = mutual_matches(first[1], second[1])
        size = request.frames[one]
        geometry = verify(first[0], second[0], matches, size.width, size.height)
        if geometry is not None:
            pairs.append((one, other))
            found.append(geometry)
        report(done + 1, len(request.pairs))
    write_pairs(folder / PAIRS_FILE, pairs, found)
    return {"pairs": len(request.pairs), "verified": len(pairs), "inliers": sum(len(one.matches) for one in found)}
