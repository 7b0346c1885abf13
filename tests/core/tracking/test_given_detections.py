from pathlib import Path

import numpy as np
import pytest

from core.formats.detections_jsonl import read_detections, write_detections
from core.formats.exchange.model import SeenFrame, SeenObject
from core.prompts import Detection
from core.tracking.given_detections import GivenDetections
from core.tracking.loop import with_next
from core.video.frames import Frame


@pytest.fixture
def file(tmp_path: Path) -> Path:
    dog = SeenObject(1, "犬", (1.5, 2.0, 30.0, 40.0), 0.9)
    cat = SeenObject(2, "cat", (5.0, 5.0, 9.0, 9.0))
    frames = [SeenFrame(2, 0.2, (dog, cat)), SeenFrame(3, 0.3, ()), SeenFrame(5, 0.5, (cat,))]
    write_detections(tmp_path / "d.jsonl", frames)
    return tmp_path / "d.jsonl"


def test_they_are_read_as_they_were_written(file: Path) -> None:
    dog, cat = Detection((1.5, 2.0, 30.0, 40.0), "犬", 0.9), Detection((5.0, 5.0, 9.0, 9.0), "cat", None)
    assert list(read_detections(file)) == [(2, [dog, cat]), (5, [cat])]


def test_each_frame_gets_its_own_though_the_tracker_looks_ahead(file: Path) -> None:
    session = GivenDetections(file, 0.5)
    assert session.trust_of("cat").min_score == 0.5
    frames = (Frame(np.zeros((4, 4, 3), np.uint8), number, number / 10) for number in (1, 2, 4, 5))
    found = {frame.source_frame: len(session.detect(frame.image)) for frame, _ in with_next(session.watch(frames))}
    assert found == {1: 0, 2: 2, 4: 0, 5: 1}
