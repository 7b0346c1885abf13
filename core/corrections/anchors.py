"""How far each prompt of a person counts: which frames of its object come from it.

A frame belongs to the nearest prompt from which it can be reached: not through an absence of the object, and not
through frames that were accepted before the prompt was made. What belongs to none stays as it was tracked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.formats.corrections import Acceptance, CorrectionPrompt, Span, VideoCorrections

_FAR = 2**62
Frames = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Anchor:
    """A prompt on a frame of one object.

    Attributes:
        obj_id: of the object.
        frame: source frame.
        prompt: what was corrected; None: the object was already tracked from here.
    """

    obj_id: int
    frame: int
    prompt: CorrectionPrompt | None = None

    @property
    def round(self) -> int:
        """Of corrections; 0: what was there before."""
        return 0 if self.prompt is None else self.prompt.round


@dataclass(frozen=True, eq=False)
class Reach:
    """The frames of an object that come from an anchor: source frames, ascending.

    `obj_id`: what it is called there, which need not be what the anchor is called.
    """

    anchor: Anchor
    obj_id: int
    owned: Frames


def anchors_of(corrections: VideoCorrections, known: Sequence[tuple[int, int]]) -> list[Anchor]:
    """All anchors of a video.

    Args:
        corrections: of the video.
        known: id and source frame from which objects were tracked before: of each its first, and those of its prompts.
    """
    corrected = {(one.obj_id, one.frame) for one in corrections.prompts}
    before = [Anchor(obj_id, frame) for obj_id, frame in known if (obj_id, frame) not in corrected]
    return [*before, *(Anchor(one.obj_id, one.frame, one) for one in corrections.prompts)]


def in_accepted(one: CorrectionPrompt, corrections: VideoCorrections) -> bool:
    """Whether a prompt lies on a frame that was accepted before it was made."""
    obj_id = called(corrections, one.obj_id, one.frame)
    return any(one.frame in span for span in _accepted(corrections, obj_id, one.round))


def called(corrections: VideoCorrections, obj_id: int, frame: int) -> int:
    """What an object is called on a frame that is tracked as `obj_id`."""
    return next((one.becomes for one in corrections.ids if one.obj_id == obj_id and frame in one), obj_id)


def reaches(frames: Frames, corrections: VideoCorrections, anchors: Sequence[Anchor]) -> list[Reach]:
    """The frames that come from each corrected prompt, by what their object is called, and by frame.

    Args:
        frames: source frames that are processed, ascending.
        corrections: of the video.
        anchors: see `anchors_of`; those on accepted frames left out.
    """
    names = {obj_id: _called_on(frames, obj_id, corrections) for obj_id in {one.obj_id for one in anchors}}
    found = []
    for obj_id in sorted({int(name) for of_it in names.values() for name in np.unique(of_it)}):
        own = sorted((one for one in anchors if (names[one.obj_id] == obj_id).any()), key=lambda one: one.frame)
        blocks = [_distances(frames, one, obj_id, corrections) for one in own]
        distances = np.stack(
            [np.where(names[one.obj_id] == obj_id, d, _FAR) for one, d in zip(own, blocks, strict=True)]
        )
        nearest, reached = distances.argmin(axis=0), distances.min(axis=0) < _FAR
        found += [
            Reach(one, obj_id, frames[reached & (nearest == place)])
            for place, one in enumerate(own)
            if one.prompt is not None
        ]
    return found


def _called_on(frames: Frames, obj_id: int, corrections: VideoCorrections) -> Frames:
    names = np.full(len(frames), obj_id)
    for one in corrections.ids:
        if one.obj_id == obj_id:
            names[(frames >= one.first) & (frames <= (_FAR if one.last is None else one.last))] = one.becomes
    return names


def _distances(frames: Frames, anchor: Anchor, obj_id: int, corrections: VideoCorrections) -> Frames:
    """How far each frame is from an anchor; `_FAR`: it cannot be reached."""
    absent = [one for one in corrections.absent if one.obj_id == obj_id]
    first, last = 0, _FAR
    for span in [*absent, *_accepted(corrections, obj_id, anchor.round)]:
        end = _FAR if span.last is None else span.last
        if end < anchor.frame:
            first = max(first, end + 1)
        elif span.first > anchor.frame:
            last = min(last, span.first - 1)
        else:  # it lies in it
            first, last = 0, -1
    return np.where((frames >= first) & (frames <= last), np.abs(frames - anchor.frame), _FAR)


def _accepted(corrections: VideoCorrections, obj_id: int, made_in: int) -> list[Span]:
    """The frames of an object that were accepted before a round."""

    def holds(one: Acceptance) -> bool:
        return one.obj_id in (None, obj_id) and one.round < made_in

    return [one for one in corrections.accepted if holds(one)]
