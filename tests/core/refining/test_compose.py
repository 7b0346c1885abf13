"""What holds for every composed map, and what a picture's colours decide."""

import numpy as np
import pytest
from blocks import HEIGHT, WIDTH, blocks, regions
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt

from benchmarks.degrade import KINDS
from core.masks.region import Region
from core.refining.refine import MatchingName, Settings, refine_map
from core.refining.scores import mean_iou, score

SHAPE = (24, 30)
IDS = st.sampled_from([-1, 0, 1, 2, 65_535, 70_000])


@settings(deadline=None)
@given(
    arrays(np.int64, (6, 6), elements=IDS),
    st.lists(arrays(np.bool_, (8, 10)), max_size=6),
    st.integers(0, 6),
    st.sampled_from([-5.0, 0.0, 3.0]),
    st.sampled_from(["optimal", "documented"]),
    st.integers(0, 9),
)
def test_no_label_is_lost_and_none_spreads_far(
    coarse: np.ndarray, masks: list[np.ndarray], spread: int, evidence: float, matching: MatchingName, seed: int
) -> None:
    id_map = coarse.repeat(4, 0).repeat(5, 1)
    found = [Region.of(mask.repeat(3, 0).repeat(3, 1)) for mask in masks if mask.any()]
    image = np.random.default_rng(seed).integers(0, 255, (*SHAPE, 3), np.uint8)
    requested = Settings(matching=matching, iou_threshold=0.1, max_spread=spread, min_evidence=evidence)
    refined = refine_map(image, id_map, found, requested)
    assert refined.id_map.dtype == np.int64
    labelled = id_map > 0
    assert (refined.id_map[labelled] > 0).all(), "no labelled pixel is lost"
    background = refined.id_map <= 0
    np.testing.assert_array_equal(refined.id_map[background], id_map[background])
    assert set(np.unique(refined.id_map[~background])) == set(np.unique(id_map[labelled])), "no id is lost, none is new"
    for one in np.unique(id_map[labelled]):
        away = distance_transform_edt(id_map != one)
        assert away[refined.id_map == one].max() <= spread
    reported = score("a", len(found), id_map, refined)
    assert reported.lost == []
    assert reported.changed == pytest.approx((refined.id_map != id_map).mean())


@pytest.mark.parametrize("kind", list(KINDS))
def test_true_masks_mend_every_kind_of_damage(kind: str) -> None:
    image, truth = blocks()
    before = KINDS[kind](truth, 4.0, np.random.default_rng(1))
    refined = refine_map(image, before, regions(truth), Settings())
    assert mean_iou(before, truth) < 0.99
    assert mean_iou(refined.id_map, truth) > 0.98  # a cut at the edge of a thing is no gap within it


def test_masks_that_the_picture_contradicts_change_nothing() -> None:
    image, truth = blocks()
    shifted = [Region.of(np.roll(one.full(truth.shape), 4, axis=1)) for one in regions(truth)]
    trusting = refine_map(image, truth, shifted, Settings(min_evidence=-5))
    wary = refine_map(image, truth, shifted, Settings())
    assert mean_iou(trusting.id_map, truth) < 0.9
    assert wary.accepted_ratio is not None
    assert wary.accepted_ratio < 0.05
    assert mean_iou(wary.id_map, truth) > 0.99


def test_true_background_is_kept_and_gaps_are_filled() -> None:
    image, truth = blocks()
    truth[truth == 9] = 0  # the ground has no id
    before = truth.copy()
    before[20:26, 10:16] = 0  # a hole
    before[12:48, 45:48] = 0  # a cut
    grown = [Region.of(np.pad(truth == one, 3)[6:, 3:-3]) for one in (3, 70_000, 5)]  # 3 pixels too high
    grown[0] = Region.of(truth == 3)
    refined = refine_map(image, before, grown, Settings())
    np.testing.assert_array_equal(refined.id_map == 3, truth == 3)
    assert np.count_nonzero(refined.id_map[:12]) == 0, "the ground above the blocks looks unlike them"


def test_ids_that_are_background_on_request() -> None:
    image, truth = blocks()
    refined = refine_map(image, truth, regions(truth), Settings(background=(9, 70_000)))
    assert [match.id for match in refined.matches] == [3, 5]
    np.testing.assert_array_equal(refined.id_map, truth)
    everything = refine_map(image, truth - 4, regions(truth), Settings(background=()))
    assert [match.id for match in everything.matches] == [-1, 1, 5, 69_996]


def test_a_map_without_ids_and_a_picture_without_masks() -> None:
    image, truth = blocks()
    nothing = np.full((HEIGHT, WIDTH), -1)
    np.testing.assert_array_equal(refine_map(image, nothing, regions(truth), Settings()).id_map, nothing)
    np.testing.assert_array_equal(refine_map(image, truth, [], Settings()).id_map, truth)
    reported = score("a", 0, nothing, refine_map(image, nothing, [], Settings()))
    assert (reported.objects, reported.mean_iou, reported.invalid_ratio, reported.unlabelled_after) == (
        0,
        1.0,
        1.0,
        1.0,
    )


def test_the_purest_mask_wins_and_of_equal_ones_the_smaller() -> None:
    image = np.zeros((20, 40, 3), np.uint8)
    id_map = np.full((20, 40), 1)
    id_map[:, 20:] = 2
    loose, tight = np.zeros((2, 20, 40), np.bool_)
    loose[:, :23] = True  # of 1, 20 of 23 columns pure
    tight[:, 19:] = True  # of 2, 20 of 21
    found = [Region.of(loose), Region.of(tight)]
    trusting = Settings(min_evidence=-5)
    refined = refine_map(image, id_map, found, trusting)
    assert refined.id_map[0, 17:24].tolist() == [1, 1, 2, 2, 2, 2, 2]
    np.testing.assert_array_equal(refine_map(image, id_map, found[::-1], trusting).id_map, refined.id_map)


def test_an_id_that_no_mask_fits_keeps_all_its_pixels() -> None:
    image, truth = blocks()
    before = truth.copy()
    before[10:14, 4:8] = 77  # over a corner of 3
    refined = refine_map(image, before, regions(truth), Settings(min_evidence=-5))
    np.testing.assert_array_equal(refined.id_map == 77, before == 77)


def test_a_strip_of_background_between_two_ids_is_no_gap() -> None:
    image, truth = blocks()
    before = truth.copy()
    before[truth == 9] = 0
    before[12:48, 30:36] = 0  # between 3 and 70,000 there are six columns of ground
    wide = [
        Region.of(np.pad(truth == one, ((0, 0), (3, 3)))[:, 3 + off : 3 + off + WIDTH])
        for one, off in ((3, -3), (70_000, 3))
    ]
    wide = [Region.of(one.full(truth.shape) | (truth == two)) for one, two in zip(wide, (3, 70_000), strict=True)]
    assert (refine_map(image, before, wide, Settings(min_evidence=-5)).id_map[12:48, 30:36] > 0).all()
    np.testing.assert_array_equal(refine_map(image, before, wide, Settings()).id_map[12:48, 30:36], 0)


def test_seams_between_ids_stay_where_the_rest_of_the_map_is_right() -> None:
    image, truth = blocks()
    seam = truth.copy()
    middle = WIDTH // 2
    seam[:, middle - 1 : middle + 1] = 0
    contrary = [Region.of(np.roll(seam == one, (6, 6), (0, 1)) | (truth == one)) for one in np.unique(truth[truth > 0])]
    refined = refine_map(np.where((seam == 0)[..., None], np.uint8(0), image), seam, contrary, Settings())
    assert mean_iou(refined.id_map, seam) > 0.998
