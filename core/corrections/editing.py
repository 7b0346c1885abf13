"""What a person can do to the corrections of a video, one edit at a time. Each gives new corrections.

Edits speak of objects as they are called at that moment; corrections say what becomes of what was tracked. `round` is
that of the results to be made. What is taken back stays in the corrections for frames that were accepted with it.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from core.corrections.anchors import in_accepted
from core.formats.corrections import (
    Absence,
    Acceptance,
    CorrectionPrompt,
    ObjId,
    Renumbered,
    Span,
    VideoCorrections,
)

S = TypeVar("S", CorrectionPrompt, Absence)
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
    round: int = Field(default=1, ge=1)


class Hide(_Edit):
    """The object is not there from `first` to `last`; without frames it is deleted."""

    op: Literal["hide"]
    obj_id: ObjId
    first: int = Field(default=0, ge=0)
    last: int | None = None
    round: int = Field(default=1, ge=1)


class Unhide(_Edit):
    """It is there, after all."""

    op: Literal["unhide"]
    obj_id: ObjId
    first: int = Field(default=0, ge=0)
    last: int | None = None
    round: int = Field(default=1, ge=1)


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
            made_in = (edit.prompt if isinstance(edit, Show) else edit).round
            changed = _without_forgotten(_with_prompt(known, edit), made_in)
        case Hide() | Unhide():
            changed = _without_forgotten(_with_absence(known, edit), edit.round)
        case Rename():
            changed = known.model_copy(update={"labels": {**known.labels, edit.obj_id: edit.label}})
        case Merge():
            changed = _merged(known, edit)
        case Split():
            changed = _split(known, edit)
        case Accept() | Unaccept():
            changed = _with_acceptance(known, edit)
    return VideoCorrections.model_validate(changed.model_dump(by_alias=True)).joined()


def _taken_back(one: S, made_in: int) -> list[S]:
    """What stays of an entry that does not count any more in results of a round: those that there are have it."""
    return [one.model_copy(update={"until": made_in})] if one.round < made_in else []


def _without_forgotten(known: VideoCorrections, made_in: int) -> VideoCorrections:
    """Without entries that were taken back before the last results, and that nothing accepted goes back to."""

    def is_needed(one: CorrectionPrompt | Absence) -> bool:
        if one.until is None or one.until >= made_in:
            return True
        return any(one.round <= accepted.round < one.until for accepted in known.accepted)

    return known.model_copy(
        update={
            "prompts": [one for one in known.prompts if is_needed(one)],
            "absent": [one for one in known.absent if is_needed(one)],
        }
    )


def _with_prompt(known: VideoCorrections, edit: Show | Unshow) -> VideoCorrections:
    place = edit.prompt if isinstance(edit, Show) else edit
    prompts: list[CorrectionPrompt] = []
    for one in known.prompts:
        same = one.until is None and (one.obj_id, one.frame) == (place.obj_id, place.frame)
        prompts += _taken_back(one, place.round) if same else [one]
    if isinstance(edit, Unshow):
        return known.model_copy(update={"prompts": prompts})
    if in_accepted(edit.prompt, known):
        raise ValueError(f"frame {place.frame} is accepted, and is not changed: take that back first")
    absent: list[Absence] = []
    for span in known.absent:
        hides = span.until is None and span.obj_id == known.called(place.obj_id, place.frame) and place.frame in span
        absent += _cut(span, Span(first=place.frame), place.round) if hides else [span]
    return known.model_copy(update={"prompts": [*prompts, edit.prompt], "absent": absent})


def _cut(one: Absence, span: Span, made_in: int) -> list[Absence]:
    """An absence without the frames of `span`."""
    if not one.meets(span):
        return [one]
    kept = [one.model_copy(update={"first": part.first, "last": part.last}) for part in _minus(one, span)]
    before = _taken_back(one, made_in)
    return [*before, *(part.model_copy(update={"round": made_in}) for part in kept)] if before else kept


def _with_absence(known: VideoCorrections, edit: Hide | Unhide) -> VideoCorrections:
    span = Span(first=edit.first, last=edit.last)
    absent: list[Absence] = []
    for one in known.absent:
        own = one.until is None and one.obj_id == edit.obj_id
        absent += _cut(one, span, edit.round) if own else [one]
    if isinstance(edit, Unhide):
        return known.model_copy(update={"absent": absent})
    prompts: list[CorrectionPrompt] = []
    for prompt in known.prompts:
        hidden = known.called(prompt.obj_id, prompt.frame) == edit.obj_id and prompt.frame in span
        gone = prompt.until is None and hidden
        prompts += _taken_back(prompt, edit.round) if gone else [prompt]
    more = Absence(obj_id=edit.obj_id, first=span.first, last=span.last, round=edit.round)
    return known.model_copy(update={"absent": [*absent, more], "prompts": prompts})


def _with_acceptance(known: VideoCorrections, edit: Accept | Unaccept) -> VideoCorrections:
    """Earlier acceptances stay: what was accepted first is what frames remain."""
    span = Span(first=edit.first, last=edit.last)
    if isinstance(edit, Accept):
        more = Acceptance(obj_id=edit.obj_id, first=span.first, last=span.last, round=edit.round)
        return known.model_copy(update={"accepted": [*known.accepted, more]})
    others: list[Acceptance] = []
    for one in known.accepted:
        parts = _minus(one, span) if one.obj_id == edit.obj_id else [one]
        others += [one.model_copy(update={"first": part.first, "last": part.last}) for part in parts]
    return known.model_copy(update={"accepted": others})


def _merged(known: VideoCorrections, edit: Merge) -> VideoCorrections:
    if edit.obj_id == edit.into:
        raise ValueError(f"object {edit.obj_id} is itself already")
    everywhere = Span()
    labels = {obj_id: label for obj_id, label in known.labels.items() if obj_id != edit.obj_id}
    absent = [one for one in known.absent if one.obj_id != edit.obj_id]
    ids = _reassigned(known.ids, edit.obj_id, everywhere, edit.into)
    return known.model_copy(update={"ids": ids, "labels": labels, "absent": absent})


def _split(known: VideoCorrections, edit: Split) -> VideoCorrections:
    used = {one.obj_id for one in known.prompts}
    used |= {obj_id for one in known.ids for obj_id in (one.obj_id, one.becomes)}
    if edit.new_id in used or edit.new_id == edit.obj_id:
        raise ValueError(f"there is an object {edit.new_id} already")
    later, before = Span(first=edit.frame), Span(first=0, last=edit.frame - 1)
    ids = _reassigned(known.ids, edit.obj_id, later, edit.new_id)
    # Prompts of the new one that are tracked backward past the frame show what it was called before.
    own = [one for one in known.ids if one.obj_id == edit.obj_id and one.meets(before)]
    parts = [before]
    for one in own:
        ids += [
            Renumbered(obj_id=edit.new_id, first=p.first, last=p.last, becomes=one.becomes)
            for p in _common(one, before)
        ]
        parts = [rest for part in parts for rest in _minus(part, one)]
    ids += [Renumbered(obj_id=edit.new_id, first=p.first, last=p.last, becomes=edit.obj_id) for p in parts]
    moved = [
        one.model_copy(update={"obj_id": edit.new_id}) if one.obj_id == edit.obj_id and one.first in later else one
        for one in known.absent
    ]
    label = known.labels.get(edit.obj_id)
    labels = known.labels if label is None else {**known.labels, edit.new_id: label}
    return known.model_copy(update={"ids": ids, "absent": moved, "labels": labels})


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
