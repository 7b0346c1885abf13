import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.masks.contingency import contingency, label
from core.masks.region import Region

SHAPE = (9, 11)
MAPS = arrays(np.int64, SHAPE, elements=st.sampled_from([-1, 0, 1, 2, 7, 65_535, 70_000, 2**40]))
MASKS = st.lists(arrays(np.bool_, SHAPE), min_size=1, max_size=4)


@given(MAPS, MASKS)
def test_every_overlap_is_what_comparing_pair_by_pair_gives(id_map: np.ndarray, masks: list[np.ndarray]) -> None:
    labels = label(id_map)
    found = contingency([Region.of(mask) for mask in masks], labels)
    assert labels.ids.tolist() == sorted({int(one) for one in id_map.ravel() if one > 0})
    for row, mask in enumerate(masks):
        for column, one in enumerate(labels.ids.tolist()):
            here = id_map == one
            common, union = int((mask & here).sum()), int((mask | here).sum())
            assert found.intersection[row, column] == common
            assert found.iou[row, column] == common / union
            assert found.coverage[row, column] == common / here.sum()


@given(MAPS)
def test_labels_number_every_pixel(id_map: np.ndarray) -> None:
    labels = label(id_map)
    known = np.append(labels.ids, 0)[labels.number]
    np.testing.assert_array_equal(known, np.where(id_map > 0, id_map, 0))
    assert labels.area.tolist() == [int((id_map == one).sum()) for one in labels.ids]
    chosen = label(id_map, {1, 7})
    assert set(chosen.ids.tolist()) == set(np.unique(id_map).tolist()) - {1, 7}


def test_pixels_without_an_id_do_not_make_a_mask_impure_unless_they_are_most_of_it() -> None:
    id_map = np.zeros((4, 10), np.int64)
    id_map[:, :4] = 5
    id_map[:, 4] = 6
    masks = np.zeros((3, 4, 10), np.bool_)
    masks[0, :, 1:7] = True  # 3 columns of 5, 1 of 6, 2 of none
    masks[1, :, 2:8] = True  # 2 of 5, 1 of 6, 3 of none
    masks[2, :, 7:] = True
    purity = contingency([Region.of(mask) for mask in masks], label(id_map)).purity
    np.testing.assert_allclose(purity, [[0.75, 0.0], [0.0, 0.0], [0.0, 0.0]])


@given(arrays(np.bool_, SHAPE))
def test_a_region_is_its_mask(mask: np.ndarray) -> None:
    region = Region.of(mask)
    np.testing.assert_array_equal(region.full(SHAPE), mask)
    assert region.area == mask.sum()
    assert region.mask.size <= mask.size
