"""Joining segments: the right objects, one to one, every link with a score, what is not sure is said."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.formats.sparse_annotations import SparsePrompt
from core.formats.window_shard import ShardObject
from core.long_video.continuing import carry_over
from core.long_video.merge import Shard
from core.long_video.plan import Plausible, Seed
from core.long_video.stitch import (
    Border,
    OverlapObservations,
    Pair,
    SegmentResolution,
    TrackSummary,
    overlap_iou,
    pair_known,
    pair_over_gaps,
    pair_unknown,
)
from core.masks import rle

BORDER = Border(0, 1, 3)


def seen(obj_id: int, x: int, label: str = "mug", width: int = 10, score: float = 0.9) -> ShardObject:
    mask = np.zeros((20, 100), np.bool_)
    mask[5:15, x : x + width] = True
    return ShardObject(
        obj_id=obj_id, label=label, score=score, anchored=False, since=0, since_s=0.0, rle=rle.encode(mask)
    )


def over(frames: dict[int, list[ShardObject]]) -> OverlapObservations:
    return OverlapObservations({frame: {one.obj_id: one for one in objects} for frame, objects in frames.items()})


def test_objects_are_paired_one_to_one_whatever_their_numbers() -> None:
    before = over({frame: [seen(1, 10 + frame), seen(2, 50 - frame)] for frame in range(4)})
    after = over({frame: [seen(7, 50 - frame), seen(3, 11 + frame), seen(9, 80)] for frame in range(4)})
    pairs = {pair.before: pair for pair in pair_unknown(BORDER, before, after)}
    assert {number: pair.after for number, pair in pairs.items()} == {1: 3, 2: 7}
    assert pairs[2].score == 1.0
    assert pairs[1].score == pytest.approx(9 / 11, abs=1e-3)
    assert not any(pair.ambiguous for pair in pairs.values())


def test_labels_must_agree_and_poor_overlap_is_no_pair() -> None:
    before = over({0: [seen(1, 10, "mug"), seen(2, 50, "bowl")]})
    after = over({0: [seen(1, 10, "bowl"), seen(2, 58, "bowl")]})
    assert pair_unknown(BORDER, before, after) == []


def test_two_that_fit_alike_are_ambiguous() -> None:
    before = over({0: [seen(1, 10)]})
    after = over({0: [seen(5, 11), seen(6, 9)]})
    (pair,) = pair_unknown(BORDER, before, after)
    assert pair.rival is not None
    assert pair.ambiguous


def test_known_objects_that_have_come_apart_are_ambiguous() -> None:
    before = over({frame: [seen(1, 10), seen(2, 50)] for frame in range(3)})
    after = over({frame: [seen(1, 70), seen(2, 50)] for frame in range(3)} | {3: [seen(1, 10)]})
    pairs = {pair.before: pair for pair in pair_known(BORDER, before, after)}
    assert (pairs[1].score, pairs[1].ambiguous) == (0.0, True)
    assert (pairs[2].score, pairs[2].ambiguous) == (1.0, False)


@given(st.lists(st.integers(0, 90), min_size=1, max_size=5), st.lists(st.integers(0, 90), max_size=5))
def test_overlap_is_the_masks_own_iou(left: list[int], right: list[int]) -> None:
    before = over({0: [seen(number, x) for number, x in enumerate(left)]})
    after = over({0: [seen(number, x) for number, x in enumerate(right)]})
    expected = [[max(0, 10 - abs(a - b)) / (20 - max(0, 10 - abs(a - b))) for b in right] for a in left]
    found = overlap_iou(before, after, both=False)
    np.testing.assert_allclose(found, np.array(expected).reshape(len(left), len(right)), atol=1e-6)


def test_a_lost_object_is_known_again_by_its_looks() -> None:
    red, blue = np.eye(4, dtype=np.float32)[0], np.eye(4, dtype=np.float32)[1]
    objects = {
        0: {1: TrackSummary("mug", red, 0, 40), 2: TrackSummary("mug", blue, 0, 99)},
        1: {1: TrackSummary("mug", blue, 95, 190)},
        2: {1: TrackSummary("mug", red, 220, 260), 2: TrackSummary("bowl", red, 210, 260)},
    }
    overlap = Pair(
        kind="overlap", segment=0, later=1, window=3, before=2, after=1, score=1.0, from_frame=99, to_frame=95
    )
    borders = [Border(0, 1, 3), Border(1, 2, 7)]
    (pair,) = pair_over_gaps(borders, objects, [overlap])
    assert (pair.kind, pair.segment, pair.before, pair.later, pair.after) == ("gap", 0, 1, 2, 1)
    assert (pair.from_frame, pair.to_frame, pair.score) == (40, 220, 1.0)


def test_what_the_next_segment_does_not_see_goes_on_until_it_is_annotated_again() -> None:
    def known(obj_id: int, spans: tuple[tuple[int, int], ...], *annotated: int) -> Plausible:
        seeds = tuple(
            Seed(shown=SparsePrompt(frame=frame, box=(0, 0, 9, 9)), since=frame, since_s=0.0) for frame in annotated
        )
        return Plausible(obj_id, "mug", spans, seeds)

    objects = [
        known(1, ((0, 300),), 5, 250),
        known(2, ((0, 95),), 5),
        known(3, ((0, 300),), 5),
        known(4, ((0, 300),), 5),
    ]
    here = over({90: [seen(n, 10 * n) for n in (1, 2, 3)], 95: [seen(n, 10 * n) for n in (1, 2, 3)]})
    there = over({90: [seen(3, 30)], 95: []})
    forward = {one.obj_id: one for one in carry_over(objects, here, there, "forward")}
    assert set(forward) == {1}
    assert forward[1].spans == ((95, 249),)
    assert forward[1].seeds[0].shown.frame == 95
    assert forward[1].seeds[0].score == 0.9
    backward = {one.obj_id: one for one in carry_over(objects, here, there, "backward")}
    assert {number: one.spans for number, one in backward.items()} == {1: ((6, 90),), 2: ((6, 90),)}


def test_within_a_segment_rejected_objects_go_and_recognised_ones_keep_their_number() -> None:
    known = SegmentResolution(frozenset({3}), {9: 4})
    shard = Shard(folder=Path(), segment=0, window=0, direction="forward", first=0)
    assert known.identify(shard, seen(3, 0)) is None
    assert known.identify(shard, seen(9, 0)) == (-1, 4)
    assert known.identify(shard, seen(5, 0)) == (-1, 5)
