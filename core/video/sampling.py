"""Picking frames by time, which is right for variable frame rates too."""

import math
from dataclasses import dataclass

# Time stamps are rounded to the container's time base; a frame this little early still counts as on time.
_EARLY_S = 1e-3


@dataclass(frozen=True)
class Part:
    """The frames shown from `start_s` on and before `end_s`, if any, in seconds from the start of the video."""

    start_s: float = 0.0
    end_s: float | None = None

    def __contains__(self, time_s: float) -> bool:
        """Whether a frame at this time belongs to it."""
        return time_s >= self.start_s and not self.is_over(time_s)

    def is_over(self, time_s: float) -> bool:
        """Whether no frame from this time on belongs to it."""
        return self.end_s is not None and time_s >= self.end_s

    def __str__(self) -> str:
        return f"from {self.start_s:g} s " + ("on" if self.end_s is None else f"to {self.end_s:g} s")


WHOLE = Part()


class TimeSampler:
    """Keeps the first frame at or after each tick `k / fps`, each frame once.

    Args:
        fps: ticks a second; None keeps every frame. Where frames come slower than ticks, all are kept.
    """

    def __init__(self, fps: float | None) -> None:
        if fps is not None and not fps > 0:
            raise ValueError(f"fps = {fps}: must be greater than 0")
        self._fps = fps
        self._next_s = -math.inf

    def keeps(self, time_s: float) -> bool:
        """Whether the frame at `time_s` is kept; call with increasing times."""
        if self._fps is None:
            return True
        if time_s < self._next_s - _EARLY_S:
            return False
        self._next_s = (math.floor((time_s + _EARLY_S) * self._fps) + 1) / self._fps
        return True
