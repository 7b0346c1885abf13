"""A detector of your own: `python examples/own_backend.py`.

A backend is any class with the methods of its role (`core/models/roles.py`). It is registered by a line in
`core/models/registry.py`; here it is used directly, by a tracker in this process.
"""

import numpy as np
from example_clip import clip

from core.models.classical.segmenter import ClassicalSegmenter
from core.prompts import Detection, Trust
from core.tracking.loop import track_frames
from core.tracking.tracker import Tracker
from core.video.frames import RGB
from core.video.source import open_video


class BrightRed:
    """Finds the box around everything that is much more red than green."""

    def trust_of(self, label: str | None) -> Trust:
        """As any detector."""
        return Trust()

    def detect(self, image: RGB) -> list[Detection]:
        """See `DetectorSession.detect`."""
        red = image[..., 0].astype(int) - image[..., 1] > 90
        rows, columns = np.nonzero(red.any(axis=1))[0], np.nonzero(red.any(axis=0))[0]
        if not len(rows):
            return []
        box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
        return [Detection(box, "bright red", None)]


tracker = Tracker(ClassicalSegmenter().start(), BrightRed(), detection_frequency=5)
with open_video(clip()) as video:
    records = list(track_frames(video.frames(), tracker))
seen = [one.label for record in records for one in record.objects]
print(f"{len(records)} frames, seen on {len(seen)} of them: {seen[0]}")
