"""The work of one item: which frames far apart in the sequence seem to show the same place."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from core.item import Record, item
from core.progress import Progress
from core.reconstruction.features import Features
from core.reconstruction.matching import mutual_matches

_MOST_KEYFRAMES = 400
_KEYFRAMES_A_WINDOW = 4
_SIGNATURE = 256
_LEAST_MATCHES = 12
_PER_FRAME = 3


class LoopsRequest(BaseModel):
    """Features of every frame (null: it has none), and the frames of a window: nearer ones make no loop."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    features: list[Path | None]
    window: int


@item(LoopsRequest)
def find_loops(request: LoopsRequest, folder: Path, report: Progress) -> Record:  # noqa: ARG001
    """Compare key frames by their largest features, all with all.

    Key frames are spread evenly, four a window and at most 400; each proposes the three that share most with it.

    Returns:
        `pairs`: candidates, to be matched in full, ascending.
    """
    known = [frame for frame, path in enumerate(request.features) if path is not None]
    keys = known[:: max(1, request.window // _KEYFRAMES_A_WINDOW, -(-len(known) // _MOST_KEYFRAMES))]
    signatures = [_signature(request.features[frame]) for frame in keys]
    candidates: dict[int, list[tuple[int, int]]] = {frame: [] for frame in keys}
    for done, (frame, own) in enumerate(zip(keys, signatures, strict=True)):
        for other, theirs in zip(keys[done + 1 :], signatures[done + 1 :], strict=True):
            if other - frame < request.window:
                continue
            count = len(mutual_matches(own, theirs))
            if count >= _LEAST_MATCHES:
                candidates[frame].append((count, other))
                candidates[other].append((count, frame))
        report(done + 1, len(keys))
    pairs = {
        (min(frame, other), max(frame, other))
        for frame, found in candidates.items()
        for _, other in sorted(found, key=lambda one: (-one[0], one[1]))[:_PER_FRAME]
    }
    return {"pairs": sorted(pairs)}


def _signature(path: Path | None) -> npt.NDArray[np.float32]:
    assert path is not None
    features = Features.read(path)
    largest = np.argsort(-features.keypoints[:, 2], kind="stable")[:_SIGNATURE]
    return features.descriptors[largest].astype(np.float32)
