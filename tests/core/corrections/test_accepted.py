"""Whatever a person does later: what was accepted stays as it was in the results that were accepted."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from core.corrections.anchors import in_accepted, reaches
from core.corrections.editing import Edit, apply_edit
from core.formats.corrections import VideoCorrections

EDIT: TypeAdapter[Edit] = TypeAdapter(Edit)
FRAMES = np.arange(0, 30, 2)
STARTS = [(1, 0), (2, 8)]
Picture = dict[tuple[int, int], Any]


def _results(corrections: VideoCorrections) -> Picture:
    """Of each object and frame: which prompt it comes from, or that it is absent."""
    usable = [one for one in corrections.prompts if one.until is not None or not in_accepted(one, corrections)]
    seen = corrections.model_copy(update={"prompts": usable})
    found: Picture = {(obj_id, frame): None for obj_id in (1, 2) for frame in FRAMES.tolist()}
    for one in reaches(FRAMES, seen, STARTS):
        found |= {(one.obj_id, frame): (one.prompt.frame, one.prompt.box) for frame in one.owned.tolist()}
    absent = {place: "absent" for place in found if seen.is_absent(*place)}
    return {**found, **absent}


SPAN = st.tuples(st.integers(0, 29), st.integers(0, 12)).map(lambda s: {"first": s[0], "last": s[0] + s[1]})
OBJECT = st.integers(1, 2)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("show"), OBJECT, st.integers(0, 29)),
        st.tuples(st.just("unshow"), OBJECT, st.integers(0, 29)),
        st.tuples(st.sampled_from(["hide", "unhide", "accept"]), OBJECT, SPAN),
        st.just(("run",)),
    ),
    max_size=14,
)


@settings(max_examples=200)
@given(ACTIONS)
def test_what_was_accepted_stays(actions: list[tuple[Any, ...]]) -> None:
    known, shown, results = VideoCorrections(), VideoCorrections(), _results(VideoCorrections())
    accepted: Picture = {}
    for number, (kind, *rest) in enumerate(actions):
        made_in = shown.round + 1
        if kind == "run":
            shown, results = known, _results(known)
            assert {place: results[place] for place in accepted} == accepted
            continue
        edit: dict[str, Any] = {"op": kind}
        if kind == "show":
            box = [0, 0, 1 + number, 1]
            edit["prompt"] = {"obj_id": rest[0], "frame": rest[1], "box": box, "round": made_in}
        elif kind == "unshow":
            edit |= {"obj_id": rest[0], "frame": rest[1], "round": made_in}
        else:
            edit |= {"obj_id": rest[0], **rest[1], "round": shown.round if kind == "accept" else made_in}
        try:
            known = apply_edit(known, EDIT.validate_python(edit))
        except ValueError:
            continue  # drawn on an accepted frame
        if kind == "accept":
            for place, content in results.items():
                if place[0] == rest[0] and rest[1]["first"] <= place[1] <= rest[1]["last"]:
                    accepted.setdefault(place, content)
    results = _results(known)
    assert {place: results[place] for place in accepted} == accepted


def _after(*edits: dict[str, Any]) -> VideoCorrections:
    known = VideoCorrections()
    for edit in edits:
        known = apply_edit(known, EDIT.validate_python(edit))
    return known


def test_what_was_taken_back_stays_for_frames_that_were_accepted_with_it() -> None:
    first = {"op": "show", "prompt": {"obj_id": 1, "frame": 10, "box": [0, 0, 5, 5], "round": 1}}
    accept = {"op": "accept", "first": 12, "last": 16, "round": 1}
    again = {"op": "show", "prompt": {"obj_id": 1, "frame": 10, "box": [0, 0, 9, 9], "round": 2}}
    known = _after(first, accept, again)
    assert [(one.round, one.until) for one in known.prompts] == [(2, None), (1, 2)]
    assert known.round == 2
    picture = _results(known)
    assert [picture[1, frame][1][2] for frame in (8, 10, 12, 16)] == [9, 9, 5, 5]
    assert picture[1, 18] is None, "the new one does not reach past what was accepted"
    assert _after(first, again).prompts[0].round == 2, "nothing was accepted: nothing has to stay"


def test_split_twice_there_is_one_object_before() -> None:
    split = [
        {"op": "split", "obj_id": 2, "frame": 20, "new_id": 7},
        {"op": "split", "obj_id": 7, "frame": 30, "new_id": 8},
    ]
    known = _after(*split)
    assert [known.called(8, frame) for frame in (10, 25, 35)] == [2, 7, 8]
    assert [known.called(2, frame) for frame in (10, 25, 35)] == [2, 7, 8]


def test_an_absence_is_of_the_object_as_it_is_called() -> None:
    known = _after(
        {"op": "split", "obj_id": 2, "frame": 20, "new_id": 7},
        {"op": "show", "prompt": {"obj_id": 2, "frame": 25, "box": [0, 0, 5, 5]}},
        {"op": "hide", "obj_id": 2},
    )
    assert [one.frame for one in known.prompts] == [25], "what is called 7 there is not hidden with 2"


def test_the_new_part_of_a_split_object_is_called_as_the_old_one() -> None:
    named = {"op": "rename", "obj_id": 2, "label": "dog"}
    assert _after(named, {"op": "split", "obj_id": 2, "frame": 5, "new_id": 3}).labels == {2: "dog", 3: "dog"}
