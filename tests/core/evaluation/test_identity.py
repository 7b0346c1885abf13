import pytest

from core.evaluation.identity import identity_metrics
from core.masks import Box

LEFT: Box = (0, 0, 10, 10)
RIGHT: Box = (50, 0, 60, 10)


def test_names_need_not_agree_but_must_stay() -> None:
    truth = [{"a": LEFT, "b": RIGHT}] * 4
    kept = identity_metrics(truth, [{"x": LEFT, "y": RIGHT}] * 4)
    assert (kept["IDF1"], kept["IDSW"], kept["MOTA"]) == (1.0, 0, 1.0)
    swapped = identity_metrics(truth, [{"x": LEFT, "y": RIGHT}] * 2 + [{"x": RIGHT, "y": LEFT}] * 2)
    assert swapped["IDSW"] == 2
    assert swapped["IDF1"] == pytest.approx(0.5)
