"""Prompts by hand, read from a JSON file:

    {"clips/car.mp4": [{"frame": 0, "obj_id": 1, "label": "car", "box": [120, 80, 340, 260]}],
     "clips/dog.mp4": [{"points": [[400, 300, 1], [20, 20, 0]]}]}

Keys are paths of videos, or as much of their ends as one video alone has, also without the ending: `car`.
`frame` is the source frame (default 0), `obj_id` counts up where it is left out, `box` is xyxy in source pixels, a
point is x, y and 1 (on the object) or 0 (off it), `mask` a COCO RLE of the whole picture, packed or as a list of runs.
Entries of one object on one frame are one prompt: its points are joined, and so are its masks; its box is the box
around all. A mask counts alone. `{"frame": 90, "obj_id": 1, "gone": true}`: it is not there from this frame on, until
it is shown again.
"""

import itertools
from collections.abc import Iterable, Mapping
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from core.errors import RefusedInput, UnsafeFile, reason_of
from core.masks import rle
from core.masks.boxes import around
from core.prompts import ObjectPrompt, Prompt
from core.store.safe_load import load_json
from core.text import one_line
from core.validation import expected
from core.video.video_paths import path_parts

T = TypeVar("T")
LARGEST_ID = 65_535
_LONGEST_PLACE = 200
Pixels = Annotated[float, Field(ge=-100_000, le=100_000, allow_inf_nan=False)]


def _packed(value: Any) -> Any:
    """COCO's other form, a list of runs, packed; the rest is left to the type's own check."""
    match value:
        case {"size": [int(height), int(width)], "counts": list(counts)}:
            return rle.from_runs([height, width], counts)
    return value


CheckedRLE = Annotated[rle.RLE, BeforeValidator(_packed), AfterValidator(rle.check)]
Point = tuple[Pixels, Pixels, Annotated[int, Field(ge=0, le=1)]]


class PromptEntry(BaseModel):
    """One prompt of a prompts file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    frame: int = Field(default=0, ge=0)
    obj_id: int | None = Field(default=None, ge=1, le=LARGEST_ID)
    label: str | None = None
    box: tuple[Pixels, Pixels, Pixels, Pixels] | None = None
    points: list[Point] = Field(default_factory=list)
    mask: CheckedRLE | None = None
    gone: bool = False

    @model_validator(mode="after")
    def _tells_an_object(self) -> Self:
        if self.gone:
            if self.obj_id is None or self.box is not None or self.mask is not None or self.points:
                raise ValueError("what is gone has an obj_id, and no box, mask or points")
            return self
        if self.box is not None and (self.box[2] <= self.box[0] or self.box[3] <= self.box[1]):
            raise ValueError("box is x0, y0, x1, y1 with x0 < x1 and y0 < y1: its corners, not x, y, width, height")
        if self.box is None and self.mask is None and not any(positive for _, _, positive in self.points):
            raise ValueError("give a box, a mask, or points with at least one on the object")
        return self

    def joined(self, other: Self) -> Self:
        """Both entries, of one object on one frame, as one. Raises `ValueError` where they contradict each other."""
        if self.gone != other.gone:
            raise ValueError(f"object {self.obj_id} is there and gone on frame {self.frame}")
        boxes = [box for box in (self.box, other.box) if box is not None]
        masks = [mask for mask in (self.mask, other.mask) if mask is not None]
        together = {
            "label": self.label or other.label,
            "box": reduce(around, boxes) if boxes else None,
            "points": [*self.points, *other.points],
            "mask": reduce(rle.union, masks) if masks else None,
        }
        return self.model_copy(update=together)

    def object_prompt(self) -> ObjectPrompt:
        """The prompt in the tracking loop's terms."""
        if self.obj_id is None:
            raise ValueError("read_prompts gives every entry an obj_id")
        if self.gone:
            return ObjectPrompt(self.obj_id, self.frame, self.label, None)
        points = tuple((x, y, bool(positive)) for x, y, positive in self.points)
        mask = None if self.mask is None else rle.decode(self.mask)
        return ObjectPrompt(self.obj_id, self.frame, self.label, Prompt(self.box, points, mask))


_FILE = TypeAdapter(dict[str, list[PromptEntry]])


def read_prompts(path: Path) -> dict[str, list[PromptEntry]]:
    """Read a prompts file; entries without an `obj_id` get the next free one.

    Raises:
        RefusedInput: unreadable, not JSON, or not of the documented form; names the place.
    """
    return {key: _one_video(path, entries) for key, entries in _read(path).items()}


def _read(path: Path) -> dict[str, list[PromptEntry]]:
    """The entries as they stand. Raises as `read_prompts`."""
    try:
        return _FILE.validate_python(load_json(path))
    except (OSError, UnsafeFile) as error:
        raise RefusedInput.unusable("prompts", str(path), reason_of(error)) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = one_line(" / ".join(str(part) for part in first["loc"]), _LONGEST_PLACE)
        hint = _hint(first["loc"], str(first["type"]))
        raise RefusedInput.unusable("prompts", str(path), f"{place or 'the file'}: {expected(first)}{hint}") from None


def _one_video(path: Path, entries: list[PromptEntry]) -> list[PromptEntry]:
    """All entries of a video, numbered and joined."""
    try:
        return _joined(_numbered(entries))
    except ValueError as error:
        raise RefusedInput.unusable("prompts", str(path), str(error)) from None


def _hint(place: tuple[int | str, ...], kind: str) -> str:
    """What a part of the file looks like where it is right."""
    if "points" in place:
        return " (a point is [x, y, 1] on the object, or [x, y, 0] off it)"
    if kind == "extra_forbidden":
        return f" (known are {', '.join(PromptEntry.model_fields)})"
    if len(place) < 2:
        return ' (as in {"car.mp4": [{"frame": 0, "label": "car", "box": [120, 80, 340, 260]}]})'
    return ""


def prompts_by_video(file: Path, paths: Mapping[str, str]) -> tuple[dict[str, list[PromptEntry]], list[str]]:
    """The prompts of a file by video, and those of its keys that mean no video.

    Args:
        file: read by `read_prompts`.
        paths: of each video, by its name in this run.

    Raises:
        RefusedInput: as `read_prompts` and `of_each_video`.
    """
    found, unused = of_each_video("prompts", file, _read(file), paths)
    return {name: _one_video(file, [one for part in parts for one in part]) for name, parts in found.items()}, unused


def of_each_video(
    parameter: str, file: Path, by_key: Mapping[str, T], paths: Mapping[str, str]
) -> tuple[dict[str, list[T]], list[str]]:
    """What a file has under its keys, by video, and those of its keys that mean no video, see `meant_by`.

    Raises:
        RefusedInput: a key could mean several videos; or no key means any.
    """
    found, unused = meant_by(parameter, by_key, paths)
    if not found:
        first = next(iter(paths))
        raise RefusedInput.of(
            parameter, str(file), f"its keys name videos of this run, as {first!r}; none of {keys_of(by_key)} does"
        )
    return found, unused


def meant_by(parameter: str, by_key: Mapping[str, T], paths: Mapping[str, str]) -> tuple[dict[str, list[T]], list[str]]:
    """Values by the video that their key means, and the keys that mean none.

    A key is a video's name or path, or the end of its path, with or without its ending, where only one ends so.

    Args:
        parameter: what the file was given as, for messages.
        by_key: its content.
        paths: of each video, by its name in this run.

    Raises:
        RefusedInput: a key could mean several videos.
    """
    by_end: dict[str, list[str]] = {}
    for name, path in paths.items():
        by_end.setdefault(path_parts(path)[-1], []).append(name)
    found: dict[str, list[T]] = {}
    unused = []
    for key, value in by_key.items():
        parts = path_parts(key)
        alike = by_end.get(parts[-1], [])
        meant = [key] if key in paths else [one for one in alike if path_parts(paths[one])[-len(parts) :] == parts]
        if len(meant) > 1:
            raise RefusedInput.of(parameter, key, f"a path of one video; it could be {' or '.join(meant[:5])}")
        for name in meant:
            found.setdefault(name, []).append(value)
        if not meant:
            unused.append(key)
    return found, unused


def keys_of(prompts: Iterable[str]) -> str:
    """The first few keys, for messages."""
    keys = list(prompts)
    return ", ".join(repr(one_line(key, 60)) for key in keys[:3]) + (" …" if len(keys) > 3 else "") or "none"


def _numbered(entries: list[PromptEntry]) -> list[PromptEntry]:
    highest = max((entry.obj_id or 0 for entry in entries), default=0)
    free = itertools.count(highest + 1)
    return [entry.model_copy(update={"obj_id": entry.obj_id or next(free)}) for entry in entries]


def _joined(entries: list[PromptEntry]) -> list[PromptEntry]:
    """One entry for each object and frame, in the order of the first ones; an object keeps its label throughout."""
    labels: dict[int | None, str] = {}
    for entry in entries:
        if entry.label is not None:
            labels.setdefault(entry.obj_id, entry.label)
    found: dict[tuple[int | None, int], PromptEntry] = {}
    for given in entries:
        entry = given.model_copy(update={"label": given.label or labels.get(given.obj_id)})
        place = (entry.obj_id, entry.frame)
        found[place] = found[place].joined(entry) if place in found else entry
    return list(found.values())
