"""When each object was annotated: the few stretches of time that thousands of frames come down to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.long_video.annotating import Annotated
from core.long_video.merge import Identity, Sighting
from core.long_video.names import Names
from core.report.page import note_presence


@dataclass
class Presence:
    """One object: the stretches (start, end in seconds) in which it was annotated, and the times at which an annotation
    or detection gave its place. Its number is the one in pictures."""

    number: int
    name: str
    stretches: list[tuple[float, float]] = field(default_factory=list)
    prompts_s: list[float] = field(default_factory=list)


class Timeline:
    """Fed frame by frame, ascending.

    Args:
        step_s: time from one processed frame to the next; a longer pause begins a new stretch.
    """

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self.objects: dict[str, Presence] = {}

    def add(self, time_s: float, objects: Sequence[Annotated]) -> None:
        """Note who is annotated at a time."""
        for one in objects:
            presence = self.objects.setdefault(one.dense.assoc_id, Presence(one.number, one.dense.assoc_name))
            note_presence(presence.stretches, time_s, self._step_s)

    def anchor(self, time_s: float, best: Mapping[Identity, Sighting], names: Names) -> None:
        """Note who was shown to the tracker at a time, on any frame."""
        for identity, seen in best.items():
            if seen.found.anchored:
                assoc_id, name = names.named(identity, seen.found.label)
                self.objects.setdefault(assoc_id, Presence(names.number(identity), name)).prompts_s.append(time_s)
