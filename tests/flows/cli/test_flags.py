import re
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow
from pydantic import BaseModel
from running import maskflow

import flows.annotate_long_video.flow
import flows.reconstruct_windows.flow
import flows.refine_masks.flow
import flows.track_mask_points.flow
import flows.track_videos.flow
from core.errors import RefusedInput
from core.models.registry import DETECTORS, POINT_TRACKERS, RECONSTRUCTORS
from flows.cli.flags import flags_of

FLOWS: list[Flow[..., Any]] = [
    flows.track_videos.flow.track_videos,
    flows.annotate_long_video.flow.annotate_long_video,
    flows.refine_masks.flow.refine_masks,
    flows.reconstruct_windows.flow.reconstruct_windows,
    flows.track_mask_points.flow.track_mask_points,
]
TRACK = flags_of(flows.track_videos.flow.track_videos.fn)


def _parameters(flow: Flow[..., Any]) -> list[str]:
    """All of a flow's, those of groups one by one."""
    found: list[str] = []
    for parameter in signature(flow.fn).parameters.values():
        group = parameter.default if isinstance(parameter.default, BaseModel) else None
        found += [parameter.name] if group is None else type(group).model_fields
    return found


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_every_parameter_is_a_flag_with_an_explanation(flow: Flow[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    names = _parameters(flow)
    assert [flag.name for flag in flags_of(flow.fn).signature] == names
    assert len(set(names)) == len(names)
    done = maskflow(flow.name, "--help")
    lines = [line.strip("│* ") for line in done.out.splitlines()]
    for name in names:
        flag = "--" + name.replace("_", "-")
        (line,) = (line for line in lines if re.match(rf"([A-Z-]+ )?{flag}\b(?!-)", line))
        explained = line.partition("  ")[2]
        assert explained, name


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_groups_are_described_in_the_form_and_hold_their_defaults(flow: Flow[..., Any]) -> None:
    schema = flow.parameters.model_dump()
    for name, parameter in signature(flow.fn).parameters.items():
        if not isinstance(parameter.default, BaseModel):
            assert schema["properties"][name]["description"], name
            continue
        assert schema["properties"][name]["default"] == parameter.default.model_dump(mode="json")
        group = schema["definitions"][type(parameter.default).__name__]
        assert "\n" not in group["description"]
        assert all(field["description"] for field in group["properties"].values())


def test_choices_are_those_of_the_registry() -> None:
    schemas = {flow.name: flow.parameters.model_dump() for flow in FLOWS}
    assert schemas["track-videos"]["definitions"]["Models"]["properties"]["detector"]["enum"] == list(DETECTORS.names)
    assert schemas["track-mask-points"]["properties"]["tracker"]["enum"] == list(POINT_TRACKERS.names)
    assert schemas["reconstruct-windows"]["properties"]["backend"]["enum"] == list(RECONSTRUCTORS.names)


def test_values_go_into_their_groups_and_paths_are_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    given = {"video_list": "~/a.txt", "gpu_ids": ["0", 0, 1], "model_path": "~/sam.pt", "resume": False}
    found = TRACK.validated(given)
    assert found["video_list"] == tmp_path / "a.txt"
    assert found["devices"].gpu_ids == [0, 0, 1]
    assert found["models"].model_path == tmp_path / "sam.pt"
    assert found["execution"].resume is False
    assert set(found) == {"video_list", "devices", "models", "execution"}


@pytest.mark.parametrize(
    ("name", "value", "refused", "shown", "accepted"),
    [
        ("num_workers", 0, "num_workers", 0, "1 or more"),
        ("fps", -1, "fps", -1, "more than 0"),
        ("gpu_ids", [0, "x"], "gpu_ids.1", "x", "a whole number"),
        ("sam_image_size", 100, "sam_image_size", 100, "a multiple of 32"),
        (
            "detector",
            "gpt",
            "detector",
            "gpt",
            "'auto', 'grounding-dino', 'mm-grounding-dino', 'sam3', 'sam3-lite-text', 'owlv2', 'd-fine' or 'classical'",
        ),
        ("prompts", Path("~nosuchuser/a"), "prompts", "~nosuchuser/a", "there is no home folder ~nosuchuser"),
    ],
)
def test_a_refusal_holds_parameter_value_and_what_is_accepted(
    name: str, value: object, refused: str, shown: object, accepted: str
) -> None:
    with pytest.raises(RefusedInput) as error:
        TRACK.validated({name: value})
    assert (error.value.parameter, error.value.value) == (refused, shown)
    assert accepted in (error.value.accepted or "")
    assert f"{refused} = {shown!r} is not accepted" in str(error.value)


def test_of_alternatives_each_is_named_and_of_several_refusals_all() -> None:
    points = flags_of(flows.track_mask_points.flow.track_mask_points.fn)
    with pytest.raises(RefusedInput, match=r"^max_query_points_per_batch = 0 is .* 1 or more, or .*'auto'$"):
        points.validated({"max_query_points_per_batch": 0})
    with pytest.raises(RefusedInput, match=r"num_workers = 0 .*; fps = 0 "):
        TRACK.validated({"num_workers": 0, "fps": 0})
