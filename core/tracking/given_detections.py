"""Detections from a file in the place of a detector."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from core.formats.detections_jsonl import read_detections
from core.prompts import Detection, Trust
from core.video.frames import RGB, Frame

_KEPT = 4  # a tracker looks one frame ahead


class GivenDetections:
    """Implements `DetectorSession`. Sessions are shown pictures: `watch` says which frames they are.

    Args:
        path: written by `write_detections`.
        min_score: detections under this score start no object; those without a score do.
    """

    def __init__(self, path: Path, min_score: float) -> None:
        self._trust = Trust(min_score=min_score)
        self._by_frame = dict(read_detections(path))
        self._shown: deque[Frame] = deque(maxlen=_KEPT)

    def watch(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The frames, on their way to the tracker."""
        for frame in frames:
            self._shown.append(frame)
            yield frame

    def trust_of(self, label: str | None) -> Trust:  # noqa: ARG002 - of all alike
        """See `DetectorSession.trust_of`."""
        return self._trust

    def detect(self, image: RGB) -> list[Detection]:
        """See `DetectorSession.detect`."""
        shown = next((frame for frame in self._shown if frame.image is image), None)
        # A tracking that goes on is shown again what was seen before it was interrupted: nothing here depends on it.
        return [] if shown is None else self._by_frame.get(shown.source_frame, [])
