"""When each object was annotated: the few stretches of time that thousands of frames come down to."""

from dataclasses import dataclass, field

from core.formats.dense_annotations import DenseFrame


@dataclass
class Presence:
    """One object: the stretches (start, end in seconds) in which it was annotated, and the times of its annotations."""

    name: str
    stretches: list[tuple[float, float]] = field(default_factory=list)
    prompts_s: list[float] = field(default_factory=list)
    frames: int = 0


class Timeline:
    """Fed frame by frame, ascending.

    Args:
        step_s: time from one processed frame to the next; a longer pause begins a new stretch.
    """

    def __init__(self, step_s: float) -> None:
        self._pause_s = 1.6 * step_s
        self.objects: dict[str, Presence] = {}

    def add(self, time_s: float, frame: DenseFrame) -> None:
        """Note who is annotated at a time."""
        for one in frame.objects:
            presence = self.objects.setdefault(one.assoc_id, Presence(one.assoc_name))
            presence.frames += 1
            if one.source == "prompt":
                presence.prompts_s.append(time_s)
            if presence.stretches and time_s - presence.stretches[-1][1] <= self._pause_s:
                presence.stretches[-1] = (presence.stretches[-1][0], time_s)
            else:
                presence.stretches.append((time_s, time_s))
