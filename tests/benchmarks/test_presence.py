"""Objects are recorded while they are there: real people who come and go, labelled to the second."""

import pytest

from benchmarks.presence import people, presence, rendered


@pytest.mark.slow
@pytest.mark.usefixtures("shared_data")
def test_people_who_have_left_are_gone() -> None:
    found = presence(people(2.5))
    assert found.precision >= 0.9
    assert found.recall >= 0.8


@pytest.mark.slow
def test_rendered_objects_that_hide_and_leave() -> None:
    found = presence(next(rendered([100])))
    assert found.precision >= 0.9
    assert found.recall >= 0.8
