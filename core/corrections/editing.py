"""What a person can do to the corrections of a video, one edit at a time. Each gives new corrections.

Edits speak of objects as they are called at that moment; corrections say what becomes of what was tracked.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from core.corrections.anchors import called, in_accepted
from core.formats.corrections import (
    Absence,
    Acceptance,
    CorrectionPrompt,
    ObjId,
    Renumbered,
    Span,
    VideoCorrections,
)

S = TypeVar("S", Absence, Acceptance)
_END = 2**40


class _Edit(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Show(_Edit):
    """The object looks so on a frame; what was said of it there before is replaced, and an absence ends there."""

    op: Literal["show"]
    prompt: CorrectionPrompt


class Unshow(_Edit):
    """Take a prompt back."""

    op: Literal["unshow"]
    obj_id: ObjId
    frame: int = Field(ge=0)


class Hide(_Edit):
    """The object is not there from `first` to `last`; without frames it is deleted."""

    op: Literal["hide"]
    obj_id: ObjId
    first: int = Field(default=0, ge=0)
    last: int | None = None


class Unhide(_Edit):
    """It is there, after all."""

    op: Literal["unhide"]
    obj_id: ObjId
    first: int = Field(default=0, ge=0)
    last: int | None = None


class Rename(_Edit):
    """It is called so."""

    op: Literal["rename"]
    obj_id: ObjId
    label: str = Field(min_length=1, max_length=200)


class Merge(_Edit):
    """The object is another one."""

    op: Literal["merge"]
    obj_id: ObjId
    into: ObjId


class Split(_Edit):
    """From a frame on it is another object, of a new id."""

    op: Literal["split"]
    obj_id: ObjId
    frame: int = Field(ge=1)
    new_id: ObjId


class Accept(_Edit):
    """These frames are right, of one object or of all. `round`: of the results that were looked at."""

    op: Literal["accept"]
    obj_id: ObjId | None = None
    first: int = Field(ge=0)
    last: int | None = None
    round: int = Field(default=0, ge=0)


class Unaccept(_Edit):
    """They may be changed again."""

    op: Literal["unaccept"]
    obj_id: ObjId | None = None
    first: int = Field(ge=0)
    last: int | None = None


class Restore(_Edit):
    """Everything as it was at another time: undo and redo."""

    op: Literal["restore"]
    corrections: VideoCorrections


Edit = Annotated[
    Show | Unshow | Hide | Unhide | Rename | Merge | Split | Accept | Unaccept | Restore, Field(discriminator="op")
]


def apply_edit(known: VideoCorrections, edit: Edit) -> VideoCorrections:
    """The corrections after one more edit.

    Raises:
        ValueError: it contradicts them; the message says how.
    """
    match edit:
        case Restore():
            changed = edit.corrections
        case Show() | Unshow():
            changed = _with_prompt(known, edit)
        case Hide() | Unhide():
            changed = _with_absence(known, edit)
        case Rename():
            changed = known.model_copy(update={"labels": {**known.labels, edit.obj_id: edit.label}})
        case Merge():
            changed = _merged(known, edit)
        case Split():
            changed = _split(known, edit)
        case Accept() | Unaccept():
            changed = _with_acceptance(known, edit)
    return VideoCorrections.model_validate(changed.model_dump(by_alias=True)).joined()


def _with_prompt(known: VideoCorrections, edit: Show | Unshow) -> VideoCorrections:
    place = edit.prompt if isinstance(edit, Show) else edit
    others = [one for one in known.prompts if (one.obj_id, one.frame) != (place.obj_id, place.frame)]
    if isinstance(edit, Unshow):
        return known.model_copy(update={"prompts": others})
    if in_accepted(edit.prompt, known):
        raise ValueError(f"frame {place.frame} is accepted, and is not changed: take that back first")
    obj_id = called(known, place.obj_id, place.frame)
    hides = [one for one in known.absent if one.obj_id == obj_id and place.frame in one]
    absent = [one for one in known.absent if one not in hides]
    for one in hides:
        absent += _without([one], obj_id, Span(first=place.frame))
    return known.model_copy(update={"prompts": [*others, edit.prompt], "absent": absent})


def _with_absence(known: VideoCorrections, edit: Hide | Unhide) -> VideoCorrections:
    span = Span(first=edit.first, last=edit.last)
    if isinstance(edit, Unhide):
        return known.model_copy(update={"absent": list(_without(known.absent, edit.obj_id, span))})
    kept = [
        one for one in known.prompts if called(known, one.obj_id, one.frame) != edit.obj_id or one.frame not in span
    ]
    absent = [*_without(known.absent, edit.obj_id, span), Absence(obj_id=edit.obj_id, first=span.first, last=span.last)]
    return known.model_copy(update={"absent": absent, "prompts": kept})


def _with_acceptance(known: VideoCorrections, edit: Accept | Unaccept) -> VideoCorrections:
    span = Span(first=edit.first, last=edit.last)
    others = list(_without(known.accepted, edit.obj_id, span))
    if isinstance(edit, Unaccept):
        return known.model_copy(update={"accepted": others})
    more = Acceptance(obj_id=edit.obj_id, first=span.first, last=span.last, round=edit.round)
    return known.model_copy(update={"accepted": [*others, more]})


def _without(known: Iterable[S], obj_id: int | None, span: Span) -> Iterator[S]:
    """Entries of an object without the frames of `span`; those of others as they are."""
    for one in known:
        if one.obj_id != obj_id:
            yield one
            continue
        for part in _minus(one, span):
            yield one.model_copy(update={"first": part.first, "last": part.last})


def _merged(known: VideoCorrections, edit: Merge) -> VideoCorrections:
    if edit.obj_id == edit.into:
        raise ValueError(f"object {edit.obj_id} is itself already")
    everywhere = Span()
    labels = {obj_id: label for obj_id, label in known.labels.items() if obj_id != edit.obj_id}
    absent = [one for one in known.absent if one.obj_id != edit.obj_id]
    ids = _reassigned(known.ids, edit.obj_id, everywhere, edit.into)
    return known.model_copy(update={"ids": ids, "labels": labels, "absent": absent})


def _split(known: VideoCorrections, edit: Split) -> VideoCorrections:
    used = {one.obj_id for one in known.prompts} | {obj_id for one in known.ids for obj_id in (one.obj_id, one.becomes)}
    if edit.new_id in used or edit.new_id == edit.obj_id:
        raise ValueError(f"there is an object {edit.new_id} already")
    later = Span(first=edit.frame)
    ids = _reassigned(known.ids, edit.obj_id, later, edit.new_id)
    # Prompts of the new one that are tracked backward past the frame show what it was called before.
    ids.append(Renumbered(obj_id=edit.new_id, last=edit.frame - 1, becomes=edit.obj_id))
    moved = [
        one.model_copy(update={"obj_id": edit.new_id}) if one.obj_id == edit.obj_id and one.first in later else one
        for one in known.absent
    ]
    return known.model_copy(update={"ids": ids, "absent": moved})


def _reassigned(known: Iterable[Renumbered], obj_id: int, span: Span, becomes: int) -> list[Renumbered]:
    """Who is who, once what is called `obj_id` on the frames of `span` is called `becomes`."""
    entries = list(known)
    found: list[Renumbered] = []
    own = [Span(first=one.first, last=one.last) for one in entries if one.obj_id == obj_id]
    for one in entries:
        if one.becomes != obj_id:
            found.append(one)
            continue
        found += [one.model_copy(update={"first": p.first, "last": p.last}) for p in _minus(one, span)]
        found += [
            one.model_copy(update={"first": p.first, "last": p.last, "becomes": becomes}) for p in _common(one, span)
        ]
    parts = [span]
    for other in own:
        parts = [rest for part in parts for rest in _minus(part, other)]
    found += [Renumbered(obj_id=obj_id, first=p.first, last=p.last, becomes=becomes) for p in parts]
    return [one for one in found if one.obj_id != one.becomes]


def _minus(span: Span, other: Span) -> Iterator[Span]:
    """What of a span lies before and after another."""
    end = _END if span.last is None else span.last
    if span.first < other.first:
        yield Span(first=span.first, last=span.last if end < other.first else other.first - 1)
    if other.last is not None and end > other.last:
        yield Span(first=max(span.first, other.last + 1), last=span.last)


def _common(span: Span, other: Span) -> Iterator[Span]:
    """What two spans have in common, if anything."""
    if span.meets(other):
        ends = [end for end in (span.last, other.last) if end is not None]
        yield Span(first=max(span.first, other.first), last=min(ends, default=None))
