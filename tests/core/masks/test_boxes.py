import numpy as np
import pytest

from core.masks.boxes import clip_box, documented_xywh, iou_matrix, mask_box


def test_mask_box() -> None:
    mask = np.zeros((10, 20), np.bool_)
    assert mask_box(mask) is None
    mask[2:5, 7:11] = True
    assert mask_box(mask) == (7, 2, 11, 5)
    assert documented_xywh((7, 2, 11, 5)) == [7, 2, 3, 2]  # w = xmax - xmin


def test_iou() -> None:
    matrix = iou_matrix([(0, 0, 2, 2), (0, 0, 0, 0)], [(1, 0, 3, 2), (0, 0, 2, 2), (0, 0, 0, 0)])
    assert matrix == pytest.approx(np.array([[1 / 3, 1, 0], [0, 0, 0]]))


def test_clip() -> None:
    assert clip_box((-5, 2, 5, 30), 10, 20) == (0, 2, 5, 20)
    assert clip_box((12, 2, 15, 3), 10, 20) is None
