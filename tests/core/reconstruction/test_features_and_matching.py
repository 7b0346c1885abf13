"""Features of real pictures, and matches equal to COLMAP's own."""

from pathlib import Path

import numpy as np
import pytest
from photographs import photographs, write_photographs
from solving import quiet

from core.errors import BadMedia
from core.geometry.colmap import pycolmap
from core.reconstruction.features import Extractor, Features
from core.reconstruction.features_item import extract_features
from core.reconstruction.matching import mutual_matches, verify
from core.reconstruction.pairs import read_pairs, write_pairs
from core.reconstruction.settings import FeatureSettings, MatchFile


@pytest.fixture(scope="module")
def features() -> list[Features]:
    extractor = Extractor(FeatureSettings())
    return [extractor.extract(image) for image in photographs(3)]


def _floats(one: Features) -> np.typing.NDArray[np.float32]:
    return one.descriptors.astype(np.float32)


def test_matches_are_those_of_colmap(features: list[Features]) -> None:
    matcher = pycolmap.FeatureMatcher.create(pycolmap.FeatureMatchingOptions(), pycolmap.Device.cpu)
    for one, other in ((0, 1), (0, 2)):
        sides = [
            (
                pycolmap.keypoints_from_matrix(side.keypoints),
                pycolmap.FeatureDescriptors(type=pycolmap.FeatureExtractorType.SIFT, data=side.descriptors),
            )
            for side in (features[one], features[other])
        ]
        theirs = matcher.match(*sides[0], *sides[1])
        ours = mutual_matches(_floats(features[one]), _floats(features[other]))
        assert len(ours) > 100
        assert {tuple(pair) for pair in ours.tolist()} == {tuple(pair) for pair in theirs.tolist()}


def test_matches_of_nothing() -> None:
    none = np.zeros((0, 128), np.float32)
    assert mutual_matches(none, np.ones((3, 128), np.float32)).shape == (0, 2)


def test_verified_matches_survive_on_disk(features: list[Features], tmp_path: Path) -> None:
    matches = mutual_matches(_floats(features[0]), _floats(features[1]))
    found = verify(features[0], features[1], matches, 320, 240)
    again = verify(features[0], features[1], matches, 320, 240)
    assert found is not None
    assert again is not None
    np.testing.assert_array_equal(found.matches, again.matches)
    assert len(found.matches) > 0.8 * len(matches)
    write_pairs(tmp_path / "pairs.npz", [(0, 1)], [found])
    file = MatchFile(path=tmp_path / "pairs.npz", frames=[7, 9])
    ((pair, read),) = read_pairs(file, {7, 9, 11})
    assert pair == (7, 9)
    np.testing.assert_array_equal(read.matches, found.matches)
    np.testing.assert_array_equal(read.matrices, found.matrices)
    assert read.config == found.config
    assert list(read_pairs(file, {7, 11})) == []
    assert verify(features[0], features[1], matches[:5], 320, 240) is None


def test_a_mask_hides_and_size_is_limited() -> None:
    (image,) = photographs(1)
    mask = np.zeros(image.shape[:2], np.bool_)
    mask[:, :160] = True
    extractor = Extractor(FeatureSettings(max_image_size=200, max_features=64))
    found = extractor.extract(image, mask)
    assert 0 < len(found.keypoints) <= 64
    assert found.keypoints[:, 0].max() < 161
    everywhere = extractor.extract(image)
    assert everywhere.keypoints[:, 0].max() > 200, "in pixels of the source"
    with pytest.raises(BadMedia, match="its mask has 10x10 pixels"):
        extractor.extract(image, np.ones((10, 10), np.bool_))


def test_bad_frames_cost_only_themselves(tmp_path: Path) -> None:
    paths = write_photographs(tmp_path, 2)
    paths[0].write_bytes(paths[0].read_bytes()[:900])
    (tmp_path / "out").mkdir()
    request = {"frames": [{"image": str(path)} for path in paths], "settings": {}}
    broken, good = extract_features(request, tmp_path / "out", quiet)["frames"]
    assert "unreadable image" in broken["failed"]
    assert good["failed"] is None
    assert good["features"] > 200
    assert (good["width"], good["height"]) == (320, 240)
