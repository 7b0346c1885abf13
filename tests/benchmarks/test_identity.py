import pytest

from benchmarks.identity import box_identity
from core.masks import Box

LEFT: Box = (0, 0, 10, 10)
RIGHT: Box = (50, 0, 60, 10)


def test_names_need_not_agree_but_must_stay() -> None:
    truth = [{"a": LEFT, "b": RIGHT}] * 4
    kept = box_identity(truth, [{"x": LEFT, "y": RIGHT}] * 4)
    assert (kept.idf1, kept.switches, kept.mota) == (1.0, 0, 1.0)
    swapped = box_identity(truth, [{"x": LEFT, "y": RIGHT}] * 2 + [{"x": RIGHT, "y": LEFT}] * 2)
    assert swapped.switches == 2
    assert swapped.idf1 == pytest.approx(0.5)
