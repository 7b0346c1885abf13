"""`corrections.json`: what a person put right in results, by video.

    {"version": 1, "videos": {"clips/car.mp4": {
      "prompts": [{"frame": 240, "obj_id": 2, "box": [120, 80, 340, 260], "round": 1}],
      "absent": [{"obj_id": 2, "first": 100, "last": 160}],
      "ids": [{"obj_id": 4, "is": 1}],
      "labels": {"1": "dog"},
      "accepted": [{"first": 0, "last": 99, "round": 0}]}}}

Keys of videos are those of a prompts file; frames are source frames, `last` belongs to a span, and a span without an
end goes on to the end of the video. Nothing depends on the order in which entries stand.

- `ids`: what was tracked as `obj_id` is object `is` on these frames. To merge 4 into 1: `{"obj_id": 4, "is": 1}`; to
  split 2 at frame 300: `{"obj_id": 2, "first": 300, "is": 7}`, and `{"obj_id": 7, "last": 299, "is": 2}` where 7 has
  prompts. Nothing follows from one of these for another.
- `absent`: the object, as it is called by then, is not there on these frames; without frames it is deleted.
- `prompts`: what the object looks like on a frame, as in a prompts file. It is tracked again from there, forward and
  backward, to where another prompt is nearer, to an absence, or to accepted frames.
- `accepted`: these frames are right (of one object: with its `obj_id`) as they are in the results of a `round`. What
  counts from a later `round` on does not change them.

Prompts and absences count from results of their `round` on (1 where it is left out), and up to those before `until`:
what was taken back after frames were accepted that came of it stays in the file for these. Results without corrections
are round 0.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import RefusedInput, UnsafeFile, reason_of
from core.formats.prompts import LARGEST_ID, PromptEntry, of_each_video
from core.store.atomic import write_text
from core.store.safe_load import load_json
from core.text import one_line
from core.validation import expected

ObjId = Annotated[int, Field(ge=1, le=LARGEST_ID)]
_LONGEST_PLACE = 200


class Span(BaseModel):
    """Source frames from `first` to `last`, both included; None: to the end."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)
    first: int = Field(default=0, ge=0)
    last: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if self.last is not None and self.last < self.first:
            raise ValueError(f"first = {self.first} lies after last = {self.last}")
        return self

    def __contains__(self, frame: int) -> bool:
        """Whether a frame belongs to it."""
        return self.first <= frame and (self.last is None or frame <= self.last)

    def meets(self, other: "Span") -> bool:
        """Whether they have a frame in common."""
        return other.first in self or self.first in other


def spans_of(frames: Sequence[int], owned: Iterable[int]) -> list[Span]:
    """The frames `owned` as spans, in which no other of the `frames` that are processed lies."""
    mine = set(owned)
    spans: list[list[int]] = []
    last: int | None = None
    for frame in frames:
        if frame in mine:
            if spans and last is not None and spans[-1][1] == last:
                spans[-1][1] = frame
            else:
                spans.append([frame, frame])
        last = frame
    return [Span(first=first, last=end) for first, end in spans]


def counts_in(one: "CorrectionPrompt | Absence", results_round: int | None) -> bool:
    """Whether an entry counts in results of a round; None: in those to be made."""
    if results_round is None:
        return one.until is None
    return one.round <= results_round and (one.until is None or one.until > results_round)


class CorrectionPrompt(PromptEntry):
    """A prompt on a frame of known results, which counts from a round of results on, and up to another."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    obj_id: ObjId
    round: int = Field(default=1, ge=1)
    until: int | None = Field(default=None, ge=2)

    @model_validator(mode="after")
    def _shows_it(self) -> Self:
        if self.gone:
            raise ValueError("corrections say that an object is gone under absent, with first and last")
        return self


class Absence(Span):
    """The object is not there; likewise in results from one round to another."""

    obj_id: ObjId
    round: int = Field(default=1, ge=1)
    until: int | None = Field(default=None, ge=2)


class Renumbered(Span):
    """What the tracker calls `obj_id` is another object on these frames."""

    obj_id: ObjId
    becomes: ObjId = Field(alias="is")


class Acceptance(Span):
    """These frames are right as they are in results of a round; without `obj_id`: of all objects."""

    obj_id: ObjId | None = None
    round: int = Field(default=0, ge=0)


class VideoCorrections(BaseModel):
    """The corrections of one video."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    prompts: list[CorrectionPrompt] = Field(default_factory=list)
    absent: list[Absence] = Field(default_factory=list)
    ids: list[Renumbered] = Field(default_factory=list)
    labels: dict[ObjId, str] = Field(default_factory=dict)
    accepted: list[Acceptance] = Field(default_factory=list)

    @model_validator(mode="after")
    def _is_clear(self) -> Self:
        for place, one in enumerate(self.ids):
            for other in self.ids[:place]:
                if one.obj_id == other.obj_id and one.becomes != other.becomes and one.meets(other):
                    raise ValueError(f"ids say of object {one.obj_id} on the same frames that it is two others")
        return self

    @property
    def round(self) -> int:
        """The last round of results that any entry speaks of."""
        rounds = [one.until or one.round for one in self.prompts] + [one.until or one.round for one in self.absent]
        return max(rounds, default=0)

    @property
    def obj_ids(self) -> set[int]:
        """Every object that any entry speaks of."""
        used = {one.obj_id for one in self.prompts} | {one.obj_id for one in self.absent} | set(self.labels)
        used |= {one.obj_id for one in self.accepted if one.obj_id is not None}
        return used | {obj_id for one in self.ids for obj_id in (one.obj_id, one.becomes)}

    def in_results(self, results_round: int | None) -> Self:
        """What counts in results of a round, and what had been accepted before it; None: all that counts by now."""
        accepted = [one for one in self.accepted if results_round is None or one.round < results_round]
        return self.model_copy(
            update={
                "prompts": [one for one in self.prompts if counts_in(one, results_round)],
                "absent": [one for one in self.absent if counts_in(one, results_round)],
                "accepted": accepted,
            }
        )

    def accepted_in(self, obj_id: int, frame: int) -> int | None:
        """The first round of results in which an object was accepted on a frame; None: it was not."""
        return min((one.round for one in self.accepted if one.obj_id in (None, obj_id) and frame in one), default=None)

    def is_absent(self, obj_id: int, frame: int) -> bool:
        """Whether it was said that an object, as it is called by then, is not there."""
        spans = [one for one in self.absent if one.obj_id == obj_id and frame in one]
        return bool(spans) and any(counts_in(one, self.accepted_in(obj_id, frame)) for one in spans)

    def called(self, obj_id: int, frame: int) -> int:
        """What an object is called on a frame that is tracked as `obj_id`."""
        return next((one.becomes for one in self.ids if one.obj_id == obj_id and frame in one), obj_id)

    def joined(self) -> Self:
        """The same in one order, with one prompt for each object and frame.

        Raises:
            ValueError: a prompt lies where its object is said to be absent.
        """
        prompts: dict[tuple[int, int, int], CorrectionPrompt] = {}
        for one in sorted(self.prompts, key=lambda p: p.model_dump_json()):
            place = (one.frame, one.obj_id, one.until or 0)
            known = prompts.get(place)
            both = one if known is None else known.joined(one)
            prompts[place] = both.model_copy(update={"round": max(one.round, known.round if known else 0)})
        for one in prompts.values():
            if one.until is None and self.is_absent(self.called(one.obj_id, one.frame), one.frame):
                where = f"object {one.obj_id} has a prompt on frame {one.frame}"
                raise ValueError(f"{where}, where it is said to be absent")
        return self.model_copy(
            update={
                "prompts": [prompts[place] for place in sorted(prompts)],
                "absent": sorted(self.absent, key=lambda one: one.model_dump_json()),
                "ids": sorted(self.ids, key=lambda one: one.model_dump_json()),
                "labels": dict(sorted(self.labels.items())),
                "accepted": sorted(self.accepted, key=lambda one: one.model_dump_json()),
            }
        )


class Corrections(BaseModel):
    """A corrections file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: Literal[1] = 1
    videos: dict[str, VideoCorrections] = Field(default_factory=dict)


def read_corrections(path: Path) -> Corrections:
    """Read a corrections file. Raises `RefusedInput` that names the place where it is not of the documented form."""
    try:
        return Corrections.model_validate(load_json(path))
    except (OSError, UnsafeFile) as error:
        raise RefusedInput.unusable("corrections", str(path), reason_of(error)) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = one_line(" / ".join(str(part) for part in first["loc"]), _LONGEST_PLACE)
        raise RefusedInput.unusable("corrections", str(path), f"{place or 'the file'}: {expected(first)}") from None


def write_corrections(path: Path, corrections: Corrections) -> None:
    """Write a corrections file atomically: entries without their defaults, so that people can read and change them."""
    content = {
        "version": corrections.version,
        "videos": {name: _entries(one) for name, one in corrections.videos.items()},
    }
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def used_corrections(results: Path) -> Path:
    """Where the corrections stand that results were made with."""
    return results.with_name(f"{results.stem}_corrections.json")


def _entries(one: VideoCorrections) -> dict[str, object]:
    return one.model_dump(mode="json", exclude_defaults=True, by_alias=True)


def corrections_by_video(file: Path, paths: Mapping[str, str]) -> tuple[dict[str, VideoCorrections], list[str]]:
    """The corrections of a file by video, in one order, and those of its keys that mean no video.

    Args:
        file: read by `read_corrections`.
        paths: of each video, by its name in this run.

    Raises:
        RefusedInput: as `read_corrections`; keys as in `prompts_by_video`; or entries that contradict each other.
    """
    found, unused = of_each_video("corrections", file, read_corrections(file).videos, paths)
    return {name: joined(file, name, several) for name, several in found.items()}, unused


def joined(file: Path, video: str, several: Iterable[VideoCorrections]) -> VideoCorrections:
    """What several keys of a file have about one video, in one order. Raises `RefusedInput` for contradictions."""
    try:
        return _together(several).joined()
    except ValueError as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise RefusedInput.unusable("corrections", str(file), f"{one_line(video)}: {reason}") from None


def _together(several: Iterable[VideoCorrections]) -> VideoCorrections:
    """Entries of several keys that mean one video."""
    every = list(several)
    labels: dict[int, str] = {}
    for obj_id, label in (entry for part in every for entry in part.labels.items()):
        if labels.setdefault(obj_id, label) != label:
            raise ValueError(f"object {obj_id} has two labels, {labels[obj_id]!r} and {label!r}")
    return VideoCorrections(
        prompts=[one for part in every for one in part.prompts],
        absent=[one for part in every for one in part.absent],
        ids=[one for part in every for one in part.ids],
        labels=labels,
        accepted=[one for part in every for one in part.accepted],
    )
