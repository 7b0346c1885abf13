"""The tracker's rules on SAM 2: detections correct a track, and never start it anew."""

import numpy as np
from sam2.modeling.sam2_base import SAM2Base

from core.models.sam2.segmenter import Sam2Segmenter
from core.prompts import Detection, Prompt, Trust
from core.tracking.tracker import Tracker
from core.video.frames import RGB


class _Insistent:
    """Sure, on every frame but the first, that object 1 is only the left part of its mask."""

    def trust_of(self, label: str | None) -> Trust:
        return Trust()

    def __init__(self) -> None:
        self.tracker: Tracker | None = None
        self.frames = 0

    def detect(self, image: RGB) -> list[Detection]:
        self.frames += 1
        if self.frames == 1:
            return []
        assert self.tracker is not None
        box = self.tracker.live[1].box
        assert box is not None
        x0, y0, x1, y1 = box
        return [Detection((x0, y0, x0 + 0.4 * (x1 - x0), y1), "thing", 0.99)]


def test_a_detection_on_every_frame_corrects_the_track_and_keeps_its_memory(model: SAM2Base, frames: list[RGB]) -> None:
    session = Sam2Segmenter(model, "small").start()
    detector = _Insistent()
    detector.tracker = tracker = Tracker(session, detector)
    alone = Sam2Segmenter(model, "small").start()
    corrections = 0
    original = session.add

    def add(obj_id: int, prompt: Prompt) -> object:
        nonlocal corrections
        corrections += detector.frames > 1
        return original(obj_id, prompt)

    session.add = add  # type: ignore[method-assign,assignment]
    prompt = Prompt(box=(8.0, 35.0, 140.0, 80.0))
    for index in range(8):
        tracker.step(frames[index], index / 25, {1: ("thing", prompt)} if index == 0 else None)
        alone.advance(frames[index])
        if index == 0:
            alone.add(1, prompt)
    assert corrections > 0, "nothing was corrected, nothing was tested"
    assert session.predictor is not None
    assert alone.predictor is not None
    memory, undisturbed = session.predictor.objects[1], alone.predictor.objects[1]
    assert list(memory.conditioning) == list(undisturbed.conditioning) == [0]
    assert list(memory.recent) == list(undisturbed.recent) == list(range(1, 8))
    assert np.array_equal(memory.conditioning[0].pointer, undisturbed.conditioning[0].pointer)
