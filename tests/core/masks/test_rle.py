import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco

from core.masks import Mask, rle

_MASKS = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(lambda shape: arrays(np.bool_, shape))


@given(_MASKS)
def test_encoding_is_that_of_pycocotools_to_the_bit(mask: Mask) -> None:
    encoded = rle.encode(mask)
    expected = coco.encode(np.asfortranarray(mask.view(np.uint8)))
    assert encoded["counts"].encode() == expected["counts"]
    assert encoded["size"] == list(expected["size"])
    assert np.array_equal(rle.decode(encoded), mask)
    assert rle.area(encoded) == np.count_nonzero(mask)


@pytest.mark.parametrize("shape", [(1080, 1920), (1081, 33), (7, 2000)])
def test_large_masks_too(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    for share in (0.02, 0.5, 0.98):
        mask = rng.random(shape) < share
        assert rle.encode(mask)["counts"].encode() == coco.encode(np.asfortranarray(mask.view(np.uint8)))["counts"]


@given(_MASKS)
def test_boxes_are_exclusive_at_the_upper_edge(mask: Mask) -> None:
    x0, y0, x1, y1 = (int(v) for v in rle.box_xyxy(rle.encode(mask)))
    assert np.count_nonzero(mask[y0:y1, x0:x1]) == np.count_nonzero(mask)
    if mask.any():
        assert mask[:, x1 - 1].any()
        assert mask[y1 - 1].any()


@given(st.integers(1, 10).flatmap(lambda n: st.tuples(arrays(np.bool_, (n, 6)), arrays(np.bool_, (n, 6)))))
def test_iou_is_that_of_the_dense_masks(pair: tuple[Mask, Mask]) -> None:
    a, b = pair
    union = np.count_nonzero(a | b)
    expected = np.count_nonzero(a & b) / union if union else 0.0
    assert rle.iou_matrix([rle.encode(a)], [rle.encode(b)])[0, 0] == pytest.approx(expected)


def test_no_masks_give_an_empty_matrix() -> None:
    assert rle.iou_matrix([], [rle.encode(np.ones((2, 2), np.bool_))]).shape == (0, 1)
