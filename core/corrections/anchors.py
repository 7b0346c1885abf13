"""How far each prompt of a person counts: which frames of its object come from it.

A frame belongs to the nearest prompt from which it can be reached: not through an absence of the object, and not
through frames that were accepted before the prompt was made. What belongs to none stays as it was tracked. A frame that
was accepted belongs to what it belonged to in the results that were accepted, whatever was done since.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.formats.corrections import CorrectionPrompt, Span, VideoCorrections, counts_in

_FAR = 2**62
Frames = npt.NDArray[np.int64]
_Owners = npt.NDArray[np.intp]
_BEFORE = -1  # the frame is as it was tracked


@dataclass(frozen=True, eq=False)
class Reach:
    """The frames of an object that come from a prompt: source frames, ascending.

    `obj_id`: what it is called there, which need not be what it is called on the frame of the prompt.
    """

    prompt: CorrectionPrompt
    obj_id: int
    owned: Frames


def in_accepted(one: CorrectionPrompt, corrections: VideoCorrections) -> bool:
    """Whether a prompt lies on a frame that was accepted before it was made."""
    accepted = corrections.accepted_in(corrections.called(one.obj_id, one.frame), one.frame)
    return accepted is not None and accepted < one.round


def reaches(
    frames: Frames, corrections: VideoCorrections, starts: Sequence[tuple[int, int]], both_ways: bool = False
) -> list[Reach]:
    """The frames that come from each corrected prompt, by what their object is called, and by frame.

    Args:
        frames: source frames that are processed, ascending.
        corrections: of the video; prompts on accepted frames left out.
        starts: id and source frame from which objects were tracked before: of each its first, and those of its prompts.
        both_ways: they were tracked backward from there, too.
    """
    return list(_Reaching(frames, corrections, starts, both_ways).all())


class _Reaching:
    def __init__(
        self, frames: Frames, corrections: VideoCorrections, starts: Sequence[tuple[int, int]], both_ways: bool
    ) -> None:
        self._frames = frames
        self._corrections = corrections
        self._starts = starts
        self._both_ways = both_ways
        tracked = {obj_id for obj_id, _ in starts} | {one.obj_id for one in corrections.prompts}
        self._names = {obj_id: self._called(obj_id) for obj_id in tracked}

    def all(self) -> Iterator[Reach]:
        prompts = self._corrections.prompts
        for obj_id in sorted({int(name) for of_it in self._names.values() for name in np.unique(of_it)}):
            owners = self._owners(obj_id, None)
            for place in np.unique(owners[owners != _BEFORE]).tolist():
                yield Reach(prompts[place], obj_id, self._frames[owners == place])

    def _owners(self, obj_id: int, results_round: int | None) -> _Owners:
        """Of each frame the place of its prompt among all, in results of a round; None: in those to be made."""
        view = self._corrections.in_results(results_round)
        nearest = np.full(len(self._frames), _FAR)
        owners = np.full(len(self._frames), _BEFORE)
        candidates = [
            (one.frame, one.obj_id, one.round, place)
            for place, one in enumerate(self._corrections.prompts)
            if counts_in(one, results_round)
        ]
        candidates += [(frame, tracked, 0, _BEFORE) for tracked, frame in self._starts]
        # Of two that are equally near the earlier counts; on one frame what was corrected.
        for frame, tracked, made_in, place in sorted(candidates, key=lambda one: (one[0], -one[3], one[1])):
            distance = self._distance(view, obj_id, frame, tracked, made_in)
            if place == _BEFORE and not self._both_ways:
                distance[self._frames < frame] = _FAR
            nearer = distance < nearest
            nearest[nearer], owners[nearer] = distance[nearer], place
        for accepted in sorted({one.round for one in view.accepted}, reverse=True):  # the first acceptance counts
            own = np.zeros(len(self._frames), np.bool_)
            for span in view.accepted:
                if span.round == accepted and span.obj_id in (None, obj_id):
                    own |= self._inside(span)
            if own.any():
                owners[own] = self._owners(obj_id, accepted)[own]
        return owners

    def _distance(self, view: VideoCorrections, obj_id: int, frame: int, tracked: int, made_in: int) -> Frames:
        """How far each frame is from one at which an object is known; `_FAR`: it cannot be reached."""
        first, last = 0, _FAR
        for span in _barriers(view, obj_id, made_in):
            end = _FAR if span.last is None else span.last
            if end < frame:
                first = max(first, end + 1)
            elif span.first > frame:
                last = min(last, span.first - 1)
            else:  # it lies in it
                first, last = 0, -1
        reached = (self._frames >= first) & (self._frames <= last) & (self._names[tracked] == obj_id)
        return np.where(reached, np.abs(self._frames - frame), _FAR)

    def _called(self, obj_id: int) -> Frames:
        names = np.full(len(self._frames), obj_id)
        for one in self._corrections.ids:
            if one.obj_id == obj_id:
                names[self._inside(one)] = one.becomes
        return names

    def _inside(self, span: Span) -> npt.NDArray[np.bool_]:
        return (self._frames >= span.first) & (self._frames <= (_FAR if span.last is None else span.last))


def _barriers(view: VideoCorrections, obj_id: int, made_in: int) -> list[Span]:
    """Spans that a prompt of a round does not pass: the object is absent, or was accepted before."""
    absent: list[Span] = [one for one in view.absent if one.obj_id == obj_id]
    return absent + [one for one in view.accepted if one.obj_id in (None, obj_id) and one.round < made_in]
