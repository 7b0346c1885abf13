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


def _boxes(*boxes: tuple[slice, slice]) -> list[np.ndarray]:
    masks = []
    for rows, columns in boxes:
        mask = np.zeros((20, 60), np.bool_)
        mask[rows, columns] = True
        masks.append(mask)
    return masks


ROWS = slice(5, 15)
TALL = slice(0, 20)


@pytest.mark.parametrize(
    ("boxes", "taken", "low"),
    [
        # Of ten columns, from 5 on. IoU 0.8: stage 1.
        ([(ROWS, slice(5, 13))], (0,), False),
        # IoU 0.25 and 0.4, coverage 1 and 0.4: stage 2 takes 0.6 IoU + 0.4 coverage, stage 1 neither.
        ([(TALL, slice(5, 25)), (ROWS, slice(5, 9))], (0,), True),
        # IoU 0.09: too little for stage 2; coverage 0.3: stage 3.
        ([(ROWS, slice(12, 40))], (0,), True),
        # Coverage 0.1 each, next to each other: stage 3 takes none, stage 4 a run of four, stage 5 the fifth.
        ([(ROWS, slice(5 + i, 6 + i)) for i in range(5)], (0, 1, 2, 3, 4), False),
        # Half of that each: IoU 0.05 is too little for stage 5, and a run of four for stage 4.
        ([(slice(5, 10), slice(5 + i, 6 + i)) for i in range(5)], (), False),
        # Stage 1, then stage 5 adds what is left as long as it gains 0.01.
        ([(ROWS, slice(5, 11)), (ROWS, slice(11, 14)), (slice(5, 6), slice(14, 15))], (0, 1), False),
        # Coverage 0.1: stage 6, the original.
        ([(ROWS, slice(14, 20))], (), False),
    ],
)
def test_the_stages_of_the_document(boxes: list[tuple[slice, slice]], taken: tuple[int, ...], low: bool) -> None:
    id_map = np.zeros((20, 60), np.int64)
    id_map[ROWS, 5:15] = 1
    found = _match(match_documented, _boxes(*boxes), id_map, 0.5)[1]
    assert (tuple(sorted(found.masks)), found.low_confidence) == (taken, low)


def test_a_union_that_fits_too_little_is_not_taken() -> None:
    id_map = np.zeros((20, 60), np.int64)
    id_map[ROWS, 5:15] = 1
    piece = _boxes((ROWS, slice(5, 7)))  # pure, but a fifth of the id
    assert _match(match_optimal, piece, id_map, 0.3)[1].masks == ()
    assert _match(match_optimal, piece, id_map, 0.1)[1].masks == (0,)
