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
    reported = score("a.jpg", 4, before, refined).model_copy(update={"truth": compare(truth, before, refined.id_map)})
    assert (reported.objects, reported.matched, reported.merged, reported.lost) == (4, 4, 0, [])
    assert (reported.invalid_ratio, reported.unlabelled_before) == (0.0, 0.0)
    half = [Region.of((truth == 3) | (truth == 5))]
    uncovered = score("a.jpg", 1, truth, refine_map(image, truth, [*regions(truth)[:1], *half], Settings()))
    assert uncovered.invalid_ratio == pytest.approx(1 - 36 * 24 / truth.size)
    gone = replace(refined, number=np.where(refined.number == 0, 1, refined.number))
    assert score("a.jpg", 4, before, gone).lost == [3]
    assert reported.changed == pytest.approx(36 * 6 / truth.size)
    assert reported.ids[0].id == 3
    assert reported.ids[0].iou == pytest.approx(0.75)
    assert (reported.ids[0].pixels_before, reported.ids[0].pixels_after) == (36 * 18, 36 * 24)
    assert reported.truth is not None
    assert reported.truth.miou_after == 1.0 > reported.truth.miou_before
    assert reported.truth.boundary_f_after == 1.0 > reported.truth.boundary_f_before
    summary = summarise([reported, reported], 3)
    assert (summary.successful, summary.failed, summary.total_objects, summary.ids_lost) == (2, 1, 8, 0)
    assert summary.avg_changed == pytest.approx(reported.changed)
    assert summary.truth is not None
    assert (summary.truth.images, summary.truth.better, summary.truth.worse) == (2, 2, 0)
    assert summarise([], 2).truth is None
