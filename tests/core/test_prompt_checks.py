import numpy as np
import pytest

from core.prompts import Prompt


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        ({}, "needs a box, a mask, or a point"),
        ({"points": ((1.0, 2.0, False),)}, "a point on the object"),
        ({"box": (40.0, 40.0, 10.0, 50.0)}, "x0 < x1"),
        ({"box": (10.0, 40.0, float("nan"), 50.0)}, "x0 < x1"),
        ({"box": (10.0, 40.0, float("inf"), 50.0)}, "x0 < x1"),
        ({"points": ((float("nan"), 2.0, True),)}, "numbers of pixels"),
        ({"mask": np.ones((5, 5), np.uint8)}, "a mask is bool"),
        ({"mask": np.ones((5, 5, 1), np.bool_)}, "a mask is bool"),
    ],
)
def test_a_prompt_that_means_nothing_is_refused(given: dict[str, object], reported: str) -> None:
    with pytest.raises(ValueError, match=reported):
        Prompt(**given)  # type: ignore[arg-type]
