"""Which frames come from which prompt: rules that hold for any corrections, in any order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.corrections.anchors import in_accepted, reaches
from core.corrections.stretches import stretches
from core.formats.corrections import VideoCorrections, spans_of

FRAMES = np.arange(0, 120, 3)
BOX = [1, 1, 9, 9]


def _corrections(**entries: object) -> VideoCorrections:
    return VideoCorrections.model_validate(entries).joined()


def _owned(corrections: VideoCorrections, known: list[tuple[int, int]]) -> dict[tuple[int, int], list[int]]:
    found = reaches(FRAMES, corrections, known)
    return {(one.prompt.obj_id, one.prompt.frame): one.owned.tolist() for one in found}


def test_a_prompt_counts_half_way_to_where_the_object_was_tracked_from() -> None:
    corrections = _corrections(prompts=[{"obj_id": 2, "frame": 60, "box": BOX}])
    assert _owned(corrections, [(2, 0), (1, 57)]) == {(2, 60): list(range(33, 120, 3))}
    assert _owned(corrections, []) == {(2, 60): FRAMES.tolist()}


def test_accepted_frames_stop_later_prompts_and_no_earlier_ones() -> None:
    prompts = [{"obj_id": 1, "frame": 30, "box": BOX, "round": 1}, {"obj_id": 1, "frame": 90, "box": BOX, "round": 2}]
    accepted = [{"first": 45, "last": 60, "round": 1}]
    owned = _owned(_corrections(prompts=prompts, accepted=accepted), [(1, 0)])
    assert owned[1, 30] == list(range(18, 61, 3))
    assert owned[1, 90] == list(range(63, 120, 3))
    # Of another object it is not said.
    accepted[0]["obj_id"] = 7
    assert _owned(_corrections(prompts=prompts, accepted=accepted), [(1, 0)])[1, 90][0] == 63


def test_an_absence_parts_what_lies_before_it_from_what_lies_after_it() -> None:
    corrections = _corrections(
        prompts=[{"obj_id": 1, "frame": 99, "box": BOX}], absent=[{"obj_id": 1, "first": 30, "last": 36}]
    )
    assert _owned(corrections, [(1, 0)])[1, 99] == list(range(39, 120, 3))


def test_what_is_tracked_from_a_prompt_goes_by_the_name_it_has_on_each_frame() -> None:
    """Object 1 is split at frame 60, after it was corrected on frame 30; then the new one is corrected, too."""
    prompts = [{"obj_id": 1, "frame": 30, "box": BOX}, {"obj_id": 7, "frame": 90, "box": BOX}]
    ids = [{"obj_id": 1, "first": 60, "is": 7}, {"obj_id": 7, "last": 59, "is": 1}]
    corrections = _corrections(prompts=prompts, ids=ids)
    found = reaches(FRAMES, corrections, [(1, 0)])
    owned = {(one.obj_id, one.prompt.frame): one.owned.tolist() for one in found}
    assert owned == {
        (1, 30): list(range(18, 60, 3)), (7, 30): [60], (7, 90): list(range(63, 120, 3)),
    }  # fmt: skip


def test_a_prompt_on_accepted_frames_is_known() -> None:
    corrections = _corrections(
        prompts=[{"obj_id": 1, "frame": 3, "box": BOX, "round": 1}], accepted=[{"first": 0, "last": 9, "round": 0}]
    )
    assert in_accepted(corrections.prompts[0], corrections)
    assert not in_accepted(corrections.prompts[0], _corrections(accepted=[{"first": 0, "last": 9, "round": 1}]))


SPAN = st.tuples(st.integers(0, 119), st.integers(0, 30)).map(lambda s: {"first": s[0], "last": s[0] + s[1]})
PROMPTS = st.lists(
    st.builds(
        lambda obj_id, frame, made_in: {"obj_id": obj_id, "frame": frame, "box": BOX, "round": made_in},
        st.integers(1, 2), st.integers(0, 119), st.integers(1, 3),
    ),
    max_size=5,
)  # fmt: skip
ACCEPTED = st.lists(st.builds(lambda span, r: {**span, "round": r}, SPAN, st.integers(0, 3)), max_size=3)


@given(PROMPTS, ACCEPTED, st.randoms())
def test_each_frame_has_one_owner_and_order_does_not_matter(
    prompts: list[dict[str, object]], accepted: list[dict[str, object]], random: "np.random.Generator"
) -> None:
    def usable(entries: VideoCorrections) -> VideoCorrections:
        kept = [one for one in entries.prompts if not in_accepted(one, entries)]
        return entries.model_copy(update={"prompts": kept})

    corrections = usable(_corrections(prompts=prompts, accepted=accepted))
    owned = _owned(corrections, [(1, 0)])
    for obj_id in (1, 2):
        frames = [frame for (one, _), of_it in owned.items() if one == obj_id for frame in of_it]
        assert len(frames) == len(set(frames))
    for one in corrections.prompts:
        for span in corrections.accepted:
            if span.round < one.round:
                assert not any(frame in span for frame in owned.get((one.obj_id, one.frame), []))
    random.shuffle(prompts)
    random.shuffle(accepted)
    assert _owned(usable(_corrections(prompts=prompts, accepted=accepted)), [(1, 0)]) == owned


@given(st.integers(0, 119), st.sets(st.sampled_from(FRAMES.tolist())))
def test_stretches_hold_every_frame_on_the_way_once(frame: int, locked: set[int]) -> None:
    accepted = [{"first": one, "last": one} for one in locked if one != frame]
    corrections = _corrections(prompts=[{"obj_id": 1, "frame": frame, "box": BOX}], accepted=accepted)
    found = reaches(FRAMES, corrections, [])
    if not found:  # accepted frames on both sides, and none of its own in between
        return
    (reach,) = found
    times_s = FRAMES / 1.5
    forward = stretches(frame, reach.owned, "forward", FRAMES, times_s)
    backward = stretches(frame, reach.owned, "backward", FRAMES, times_s)
    assert forward[0][0] == frame
    walked = [one for part in forward for one in part] + [one for part in reversed(backward) for one in part][:-1]
    assert set(reach.owned.tolist()) <= set(walked)
    assert len(walked) == len(set(walked))
    for part in (*forward, *backward):
        inner = [one for one in part if one != frame]
        assert len({int(one / 1.5 // 30) for one in inner}) <= 1


@given(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)))
def test_spans_hold_what_is_owned_and_nothing_else(frames: set[int], owned: set[int]) -> None:
    spans = spans_of(sorted(frames), owned & frames)
    assert {one for one in frames if any(one in span for span in spans)} == owned & frames
