"""Edits by hand, and that those of identity do to frames what they say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from core.corrections.editing import Edit, apply_edit
from core.formats.corrections import VideoCorrections

EDIT: TypeAdapter[Edit] = TypeAdapter(Edit)
BOX = [1.0, 1.0, 9.0, 9.0]


def _after(*edits: dict[str, Any]) -> VideoCorrections:
    known = VideoCorrections()
    for edit in edits:
        known = apply_edit(known, EDIT.validate_python(edit))
    return known


def _show(obj_id: int, frame: int, **more: Any) -> dict[str, Any]:
    return {"op": "show", "prompt": {"obj_id": obj_id, "frame": frame, "box": BOX, **more}}


def test_a_prompt_replaces_that_on_the_same_frame_and_can_be_taken_back() -> None:
    known = _after(_show(1, 5), _show(1, 5, label="cup"), _show(2, 5))
    assert [(one.obj_id, one.label) for one in known.prompts] == [(1, "cup"), (2, None)]
    gone = apply_edit(known, EDIT.validate_python({"op": "unshow", "obj_id": 1, "frame": 5}))
    assert [one.obj_id for one in gone.prompts] == [2]


def test_absences_are_cut_and_take_prompts_with_them() -> None:
    known = _after(_show(1, 12), {"op": "hide", "obj_id": 1, "first": 10, "last": 30})
    assert known.prompts == []
    known = apply_edit(known, EDIT.validate_python({"op": "unhide", "obj_id": 1, "first": 15, "last": 19}))
    assert [(one.first, one.last) for one in known.absent] == [(10, 14), (20, 30)]
    assert _after({"op": "hide", "obj_id": 3}).absent[0].last is None


def test_what_is_shown_ends_an_absence() -> None:
    known = _after({"op": "hide", "obj_id": 1, "first": 3, "last": 9}, {"op": "hide", "obj_id": 2}, _show(1, 5))
    assert {(one.obj_id, one.first, one.last) for one in known.absent} == {(1, 3, 4), (2, 0, None)}


def test_what_was_accepted_first_counts() -> None:
    known = _after({"op": "accept", "first": 0, "last": 9}, {"op": "accept", "first": 5, "last": 20, "round": 1})
    assert [(one.first, one.last, one.round) for one in known.accepted] == [(0, 9, 0), (5, 20, 1)]
    assert (known.accepted_in(3, 7), known.accepted_in(3, 15), known.accepted_in(3, 30)) == (0, 1, None)
    known = apply_edit(known, EDIT.validate_python({"op": "unaccept", "first": 0, "last": None}))
    assert known.accepted == []


def test_a_merged_object_loses_its_name() -> None:
    known = _after({"op": "rename", "obj_id": 4, "label": "cow"}, {"op": "merge", "obj_id": 4, "into": 1})
    assert (known.labels, [(one.obj_id, one.becomes) for one in known.ids]) == ({}, [(4, 1)])


@pytest.mark.parametrize(
    ("edits", "what"),
    [
        ([{"op": "merge", "obj_id": 1, "into": 1}], "object 1 is itself already"),
        ([{"op": "accept", "first": 3, "last": 9}, _show(1, 5)], "frame 5 is accepted, and is not changed"),
        ([_show(7, 3), {"op": "split", "obj_id": 1, "frame": 5, "new_id": 7}], "there is an object 7 already"),
    ],
)
def test_what_contradicts_itself_is_refused(edits: list[dict[str, Any]], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        _after(*edits)


IDENTITY = st.lists(
    st.one_of(
        st.builds(lambda a, b: {"op": "merge", "obj_id": a, "into": b}, st.integers(1, 4), st.integers(1, 4)),
        st.builds(lambda a, f: {"op": "split", "obj_id": a, "frame": f}, st.integers(1, 4), st.integers(1, 19)),
    ),
    max_size=6,
)


@given(IDENTITY)
def test_identities_are_what_each_edit_makes_of_those_before(edits: list[dict[str, Any]]) -> None:
    known, fresh = VideoCorrections(), 10
    names = {(obj_id, frame): obj_id for obj_id in range(1, 5) for frame in range(20)}
    for edit in edits:
        if edit["op"] == "merge" and edit["obj_id"] == edit["into"]:
            continue
        if edit["op"] == "split":
            fresh += 1
            edit = {**edit, "new_id": fresh}
        known = apply_edit(known, EDIT.validate_python(edit))
        for (tracked, frame), name in names.items():
            if name == edit["obj_id"] and frame >= edit.get("frame", 0):
                names[tracked, frame] = edit.get("into") or edit["new_id"]
    assert {(tracked, frame): known.called(tracked, frame) for tracked, frame in names} == names
