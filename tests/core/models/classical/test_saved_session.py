from pathlib import Path

import numpy as np
import pytest

from core.errors import UnsafeFile
from core.models.classical.segmenter import ClassicalSegmenter
from core.prompts import Prompt
from core.video.frames import RGB


def test_a_restored_session_goes_on_as_if_it_had_never_stopped(frames: list[RGB], tmp_path: Path) -> None:
    session = ClassicalSegmenter().start()
    session.advance(frames[0])
    session.add(4, Prompt(box=(8.0, 35.0, 28.0, 55.0)))
    for index in range(1, 6):
        session.advance(frames[index])
    session.add(2, Prompt(points=((100.0, 20.0, True),)))
    session.save(tmp_path / "session")
    restored = ClassicalSegmenter().restore(tmp_path / "session")
    for index in range(6, 12):
        expected, found = session.advance(frames[index]), restored.advance(frames[index])
        assert list(found) == list(expected) == [4, 2]
        for obj_id, one in expected.items():
            assert found[obj_id].score == one.score
            np.testing.assert_array_equal(found[obj_id].mask, one.mask)
    assert any(one.mask.any() for one in expected.values())


def test_what_is_no_session_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("{}")
    with pytest.raises(UnsafeFile, match="not a saved session"):
        ClassicalSegmenter().restore(tmp_path / "text")
    with pytest.raises(RuntimeError, match="nothing to save"):
        ClassicalSegmenter().start().save(tmp_path / "none")
