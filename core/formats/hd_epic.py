"""HD-EPIC's object movements (Perrett et al., CVPR 2025): `assoc_info.json`, `mask_info.json`, scene graphs.

assoc_info: {video_id: {association_id: {"name", "tracks": [{"track_id", "time_segment": [s, s], "masks": [mask_id]}]}}}
mask_info:  {video_id: {mask_id: {"frame_number", "3d_location", "bbox": [x0, y0, x1, y1], "fixture"}}}
scene_graphs_{video_id}.jsonl: {"time", "action", "object_name", "scene_graph": {fixture: [names]}, …} a line
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator

from core.errors import RefusedInput, UnsafeFile, reason_of
from core.formats.sparse_annotations import Problem, SparseAnnotations, SparsePrompt
from core.store.safe_load import load_json
from core.validation import expected

_MAX_BYTES = 1_000_000_000
Seconds = Annotated[float, Field(allow_inf_nan=False)]


_GRAPH = TypeAdapter(dict[str, list[str]])


class _Track(BaseModel):
    time_segment: tuple[Seconds, Seconds]
    masks: list[str]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.time_segment[0] > self.time_segment[1]:
            raise ValueError(f"time_segment {list(self.time_segment)} ends before it begins")
        return self


class HdEpic:
    """Both files, read once for all videos. Raises `RefusedInput` where one is not of the documented form."""

    def __init__(self, assoc_info: Path, mask_info: Path) -> None:
        self._assoc = _by_video("assoc_info", assoc_info)
        self._masks = _by_video("mask_info", mask_info)

    def annotations(self, video_id: str) -> SparseAnnotations | None:
        """The associations of a video; None where the file knows no such video."""
        if video_id not in self._assoc:
            return None
        found = SparseAnnotations()
        masks = self._masks.get(video_id, {})
        for assoc_id, association in self._assoc[video_id].items():
            name = association.get("name") if isinstance(association, dict) else None
            if not isinstance(name, str) or not isinstance(association.get("tracks"), list):
                found.problems.append(Problem(assoc_id, "an association has a name and a list of tracks"))
                continue
            prompts, segments = [], []
            if association["tracks"]:
                found.moved.add(name)
            for number, track in enumerate(association["tracks"]):
                where = f"{assoc_id} ({name}), track {number}"
                try:
                    checked = _Track.model_validate(track)
                except ValidationError as error:
                    found.problems.append(Problem(where, _first(error)))
                    continue
                prompts += list(_prompts(checked.masks, masks, where, found.problems))
                if checked.masks:
                    segments.append(checked.time_segment)
            found.add(assoc_id, name, prompts, segments)
        return found


def _by_video(parameter: str, path: Path) -> dict[str, dict[str, Any]]:
    try:
        content = load_json(path, _MAX_BYTES)
    except (OSError, UnsafeFile) as error:
        raise RefusedInput.unusable(parameter, str(path), reason_of(error)) from None
    if not isinstance(content, dict) or not all(isinstance(one, dict) for one in content.values()):
        raise RefusedInput.of(parameter, str(path), "a JSON object with an object for each video id")
    return content


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {expected(first)}" if place else expected(first)


def _prompts(
    mask_ids: Iterable[str], masks: dict[str, Any], where: str, problems: list[Problem]
) -> Iterable[SparsePrompt]:
    for mask_id in mask_ids:
        known = masks.get(mask_id)
        if not isinstance(known, dict):
            problems.append(Problem(where, f"mask {mask_id} is not in mask_info"))
            continue
        try:
            yield SparsePrompt.model_validate({"frame": known.get("frame_number"), "box": known.get("bbox")})
        except ValidationError as error:
            problems.append(Problem(where, f"mask {mask_id}: {_first(error)}"))


def scene_graph_file(folder: Path, video_id: str) -> Path:
    """Where the scene graphs of a video are."""
    return folder / f"scene_graphs_{video_id}.jsonl"


def stationary_objects(path: Path, moved: Iterable[str]) -> tuple[list[str], list[Problem]]:
    """Names of objects that stand in a scene graph and never move, sorted.

    An object moves when it is among the `moved`, when an event other than the initial one is about it, or when it
    stands on other fixtures in one graph than in another.

    Raises:
        OSError, UnicodeDecodeError: the file cannot be read.
    """
    moving = set(moved)
    places: dict[str, set[str]] = {}
    problems = []
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                event = json.loads(line)
                if event.get("action") != "INITIAL" and isinstance(event.get("object_name"), str):
                    moving.add(event["object_name"])
                now: dict[str, set[str]] = {}
                for fixture, names in _GRAPH.validate_python(event["scene_graph"]).items():
                    for name in names:
                        now.setdefault(name, set()).add(fixture)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                problems.append(Problem(f"{path.name}, line {number}", "not an event with a scene_graph"))
                continue
            moving |= {name for name, fixtures in now.items() if places.setdefault(name, fixtures) != fixtures}
    return sorted(set(places) - moving), problems
