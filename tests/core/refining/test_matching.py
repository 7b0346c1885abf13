import numpy as np
import pytest
from blocks import blocks, regions
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.masks.contingency import contingency, label
from core.masks.region import Region
from core.refining.documented import match_documented
from core.refining.matching import Match, Matcher, match_optimal

BOTH = pytest.mark.parametrize("matcher", [match_optimal, match_documented])
SHAPE = (12, 14)


def _match(matcher: Matcher, masks: list[np.ndarray], id_map: np.ndarray, least: float = 0.3) -> dict[int, Match]:
    labels, found = label(id_map), [Region.of(mask) for mask in masks]
    return {one.id: one for one in matcher(found, labels, contingency(found, labels), least)}


@BOTH
def test_perfect_masks_find_their_ids(matcher: Matcher) -> None:
    _, id_map = blocks()
    masks = regions(id_map)[::-1]
    labels = label(id_map)
    matches = matcher(masks, labels, contingency(masks, labels), 0.3)
    assert [(one.id, one.masks, one.iou) for one in matches] == [
        (3, (3,), 1.0), (5, (2,), 1.0), (9, (1,), 1.0), (70_000, (0,), 1.0)
    ]  # fmt: skip


@BOTH
def test_a_wall_in_pieces_is_put_together(matcher: Matcher) -> None:
    id_map = np.zeros((20, 40), np.int64)
    id_map[4:16, 2:38] = 8
    pieces = []
    for left in (2, 11, 20, 29):
        mask = np.zeros(id_map.shape, np.bool_)
        mask[4:16, left : left + 9] = True
        pieces.append(mask)
    found = _match(matcher, pieces, id_map)[8]
    assert (sorted(found.masks), found.iou, found.merged) == ([0, 1, 2, 3], 1.0, True)


@BOTH
def test_an_id_without_a_fitting_mask_is_kept(matcher: Matcher) -> None:
    id_map = np.zeros(SHAPE, np.int64)
    id_map[:3, :3], id_map[8:, 8:] = 1, 2
    far = np.zeros(SHAPE, np.bool_)
    far[8:, 8:] = True
    found = _match(matcher, [far], id_map)
    assert found[1] == Match(1, (), 0.0, 1.0)
    assert found[2].masks == (0,)
    assert _match(matcher, [], id_map)[2] == Match(2, (), 0.0, 1.0)


def test_the_assignment_is_the_best_as_a_whole() -> None:
    # Greedy gives mask 0 to id 1 (IoU 0.6), and leaves id 2 (IoU 0.57 with mask 0) with nothing.
    id_map = np.zeros((10, 30), np.int64)
    id_map[:, :10], id_map[:, 10:17] = 1, 2
    first, second = np.zeros((2, *id_map.shape), np.bool_)
    first[:, 7:17] = True
    second[:, :7] = True
    optimal = _match(match_optimal, [first, second], id_map)
    assert (optimal[1].masks, optimal[2].masks) == ((1,), (0,))


def test_a_mask_that_straddles_two_ids_is_left_out() -> None:
    id_map = np.zeros((10, 30), np.int64)
    id_map[:, :10], id_map[:, 10:20] = 1, 2
    both = np.zeros(id_map.shape, np.bool_)
    both[:, 2:18] = True
    assert all(not one.masks for one in _match(match_optimal, [both], id_map).values())
    assert any(one.masks for one in _match(match_documented, [both], id_map).values())


@given(
    arrays(np.int64, SHAPE, elements=st.integers(0, 4)),
    st.lists(arrays(np.bool_, SHAPE), max_size=7),
    st.sampled_from([match_optimal, match_documented]),
)
def test_no_mask_is_used_twice_and_figures_are_true(
    id_map: np.ndarray, masks: list[np.ndarray], matcher: Matcher
) -> None:
    found = _match(matcher, masks, id_map, 0.2)
    assert list(found) == sorted(set(id_map[id_map > 0].tolist()))
    used = [position for one in found.values() for position in one.masks]
    assert len(used) == len(set(used))
    assert found == _match(matcher, masks, id_map, 0.2)
    for one in found.values():
        if one.masks:
            union = np.logical_or.reduce([masks[position] for position in one.masks])
            here = id_map == one.id
            assert one.iou == pytest.approx((union & here).sum() / (union | here).sum())
            assert one.coverage == pytest.approx((union & here).sum() / here.sum())


def test_the_stages_of_the_document() -> None:
    """An id of 10x10 pixels, and for each stage a mask that only this one takes."""
    id_map = np.zeros((20, 60), np.int64)
    id_map[5:15, 5:15] = 1

    def only(rows: slice, columns: slice) -> Match:
        mask = np.zeros(id_map.shape, np.bool_)
        mask[rows, columns] = True
        return _match(match_documented, [mask], id_map, 0.5)[1]

    high = only(slice(5, 15), slice(5, 13))
    assert (high.iou, high.low_confidence) == (0.8, False)
    good_coverage = only(slice(5, 15), slice(5, 30))  # IoU 0.4, all covered
    assert (good_coverage.coverage, good_coverage.low_confidence) == (1.0, True)
    weak = only(slice(5, 15), slice(12, 40))  # IoU 0.09, coverage 0.3
    assert (weak.coverage, weak.low_confidence) == (0.3, True)
    assert only(slice(5, 15), slice(14, 20)).masks == ()  # coverage 0.1
