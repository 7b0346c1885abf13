"""What every session of the library's video models keeps to."""

from pathlib import Path

import numpy as np
import pytest

from core.models.library_session import LibrarySegmenter
from core.prompts import Prompt
from core.video.frames import RGB

BOX = Prompt(box=(8.0, 35.0, 28.0, 55.0))
POINTS = Prompt(points=((40.0, 45.0, True), (10.0, 10.0, False)))


def check_memory_and_restoring(segmenter: LibrarySegmenter, frames: list[RGB], saved: Path, length: int) -> None:
    """Memory is full after 18 frames; what is saved after `length` goes on the same; dropped objects leave nothing."""
    session = segmenter.start()
    session.advance(frames[0])
    session.add(1, BOX)
    session.add(5, POINTS)
    for index in range(1, 18):
        session.advance(frames[index])
    full = session.stored_bytes()
    for index in range(18, length):
        session.advance(frames[index])
    assert session.stored_bytes() == full
    session.save(saved)
    restored = segmenter.restore(saved)
    with pytest.raises(ValueError, match="advance first"):
        restored.add(1, BOX)
    for index in range(length, length + 4):
        expected = session.advance(frames[index])
        for obj_id, tracked in restored.advance(frames[index]).items():
            np.testing.assert_array_equal(tracked.mask, expected[obj_id].mask)
            assert tracked.score == expected[obj_id].score
    session.drop(1)
    session.drop(5)
    assert session.stored_bytes() == 0
