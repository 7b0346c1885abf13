import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.masks.contingency import contingency, label
from core.models.classical.generator import ClassicalMaskGenerator
from core.models.classical.merging import merge_all
from core.models.classical.superpixels import superpixels
from core.video.frames import RGB


def _picture(height: int = 120, width: int = 160, noise: int = 8) -> tuple[RGB, np.ndarray]:
    """A disc and a bar on two halves of a ground, with noise; and what is what."""
    ys, xs = np.indices((height, width))
    what = np.where(xs < width // 2, 1, 2)
    what[(ys - height // 2) ** 2 + (xs - width // 3) ** 2 < (height // 4) ** 2] = 3
    what[height // 8 : height // 4, width // 2 + 10 : width - 10] = 4
    colours = np.array([(0, 0, 0), (60, 90, 60), (110, 100, 90), (200, 60, 40), (40, 60, 190)])
    image = colours[what] + np.random.default_rng(0).integers(-noise, noise + 1, (height, width, 3))
    return image.clip(0, 255).astype(np.uint8), what


def test_things_that_stand_out_are_found_whole() -> None:
    image, what = _picture()
    found = ClassicalMaskGenerator().generate(image)
    iou = contingency([one.region for one in found], label(what)).iou.max(axis=0)
    assert (iou > 0.9).all(), iou
    for one in found:
        assert 0 < one.stability <= 1
        x, y = (int(value) for value in one.point)
        assert one.region.full(what.shape)[y, x]


def test_the_same_picture_gives_the_same_masks() -> None:
    image, _ = _picture()
    first, second = (ClassicalMaskGenerator().generate(image) for _ in range(2))
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert (one.region.x, one.region.y, one.stability) == (other.region.x, other.region.y, other.stability)
        np.testing.assert_array_equal(one.region.mask, other.region.mask)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 200), (200, 3), (20, 20)])
def test_pictures_of_any_size(height: int, width: int) -> None:
    image = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    for one in ClassicalMaskGenerator().generate(image):
        assert one.region.full((height, width)).sum() == one.region.area


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(12, 40), st.integers(12, 40))
def test_the_merge_tree_is_a_tree(seed: int, height: int, width: int) -> None:
    image = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    cut = superpixels(image, 6)
    tree = merge_all(cut)
    count = len(cut.area)
    assert np.unique(cut.labels).tolist() == list(range(count))
    assert len(tree.children) == count - 1  # every merge joins two, until one is left
    assert sorted(tree.children.ravel().tolist()) == list(range(2 * count - 2))  # each node but the last once
    np.testing.assert_allclose(tree.area[count:], tree.area[tree.children].sum(axis=1))
    assert tree.area[-1] == height * width
    assert (tree.born[count:] >= tree.born[tree.children].max(axis=1, initial=0)).all()
