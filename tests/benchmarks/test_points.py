from pathlib import Path

import pytest

from benchmarks.points import followed_joints


@pytest.mark.slow
def test_joints_of_an_animal_are_followed_no_worse_than_by_dense_flow(shared_data: Path) -> None:
    found = followed_joints(shared_data)
    assert found["lk"].average >= found["DIS flow, frame to frame"].average > found["nothing moves"].average
