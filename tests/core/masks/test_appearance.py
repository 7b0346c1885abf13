import numpy as np
import pytest

from core.masks.appearance import histogram_overlap, hsv_histogram, rgb_histogram


@pytest.mark.parametrize(("histogram", "bins"), [(hsv_histogram, 288), (rgb_histogram, 512)])
def test_only_pixels_under_the_mask_count(histogram: object, bins: int) -> None:
    assert callable(histogram)
    image = np.zeros((20, 30, 3), np.uint8)
    image[:, :15], image[:, 15:] = (220, 30, 30), (30, 30, 220)
    left, right = np.zeros((20, 30), np.bool_), np.zeros((20, 30), np.bool_)
    left[5:15, 2:12], right[5:15, 18:28] = True, True
    red, blue = histogram(image, left), histogram(image, right)
    assert red.shape == (bins,)
    assert float(red.sum()) == pytest.approx(1)
    assert histogram_overlap(red, red) == pytest.approx(1)
    assert histogram_overlap(red, blue) == 0
    both = histogram(image, left | right)
    assert histogram_overlap(red, both) == pytest.approx(np.sqrt(0.5), abs=1e-6)  # half of its pixels
    assert not histogram(image, np.zeros((20, 30), np.bool_)).any()
