from dataclasses import replace

import numpy as np
import pytest
from blocks import blocks, regions
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.masks.region import Region
from core.refining.refine import Settings, refine_map
from core.refining.scores import compare, mean_iou, score
from core.refining.summaries import summarise

MAPS = arrays(np.int64, (7, 8), elements=st.sampled_from([-1, 0, 1, 4, 70_000]))


@given(MAPS, MAPS)
def test_mean_iou_is_that_of_each_id_of_the_truth(id_map: np.ndarray, truth: np.ndarray) -> None:
    ids = [one for one in np.unique(truth).tolist() if one > 0]
    slowly = [((id_map == one) & (truth == one)).sum() / ((id_map == one) | (truth == one)).sum() for one in ids]
    assert mean_iou(id_map, truth) == pytest.approx(np.mean(slowly) if slowly else 1.0)


def test_an_image_in_numbers() -> None:
    image, truth = blocks()
    before = truth.copy()
    before[12:48, 6:12] = 9  # a quarter of id 3 is lost to the ground
    refined = refine_map(image, before, regions(truth), Settings())
    np.testing.assert_array_equal(refined.id_map, truth)
    told = score("a.jpg", 4, before, refined).model_copy(update={"truth": compare(truth, before, refined.id_map)})
    assert (told.objects, told.matched, told.merged, told.lost) == (4, 4, 0, [])
    assert (told.invalid_ratio, told.unlabelled_before) == (0.0, 0.0)
    half = [Region.of((truth == 3) | (truth == 5))]
    uncovered = score("a.jpg", 1, truth, refine_map(image, truth, [*regions(truth)[:1], *half], Settings()))
    assert uncovered.invalid_ratio == pytest.approx(1 - 36 * 24 / truth.size)
    gone = replace(refined, number=np.where(refined.number == 0, 1, refined.number))
    assert score("a.jpg", 4, before, gone).lost == [3]
    assert told.changed == pytest.approx(36 * 6 / truth.size)
    assert told.ids[0].id == 3
    assert told.ids[0].iou == pytest.approx(0.75)
    assert (told.ids[0].pixels_before, told.ids[0].pixels_after) == (36 * 18, 36 * 24)
    assert told.truth is not None
    assert told.truth.miou_after == 1.0 > told.truth.miou_before
    assert told.truth.boundary_f_after == 1.0 > told.truth.boundary_f_before
    summary = summarise([told, told], 3)
    assert (summary.successful, summary.failed, summary.total_objects, summary.ids_lost) == (2, 1, 8, 0)
    assert summary.avg_changed == pytest.approx(told.changed)
    assert summary.truth is not None
    assert (summary.truth.images, summary.truth.better, summary.truth.worse) == (2, 2, 0)
    assert summarise([], 2).truth is None
