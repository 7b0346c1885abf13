"""Frames far apart in the sequence that show the same place: here the camera goes and comes back."""

from pathlib import Path

from photographs import photographs
from solving import quiet

from core.reconstruction.features import Extractor
from core.reconstruction.loops_item import find_loops
from core.reconstruction.settings import FeatureSettings

THERE = 10


def test_a_way_there_and_back_closes(tmp_path: Path) -> None:
    extractor = Extractor(FeatureSettings(max_features=1024))
    seen = [extractor.extract(image) for image in photographs(THERE, step=0.6)]
    places = [*range(THERE), *reversed(range(THERE))]
    paths: list[str | None] = []
    for frame, place in enumerate(places):
        seen[place].write(tmp_path / f"{frame}.npz")
        paths.append(str(tmp_path / f"{frame}.npz"))
    paths[3] = None  # it could not be read
    found = find_loops({"features": paths, "window": 4}, tmp_path, quiet)["pairs"]
    assert found == sorted({tuple(pair) for pair in found})
    assert all(other - one >= 4 for one, other in found)
    assert all(3 not in pair for pair in found)
    same = {(frame, 2 * THERE - 1 - frame) for frame in range(THERE - 2) if frame != 3}
    assert same <= {(one, other) for one, other in found}, "the very same place, seen again, is among them"
    assert len(found) <= 3 * len(paths)
    assert find_loops({"features": paths, "window": 4}, tmp_path, quiet)["pairs"] == found
