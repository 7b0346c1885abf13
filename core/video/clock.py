"""Time stamps to presentation times. The one place where the start of a stream is subtracted and jumps are bridged."""

from fractions import Fraction

_GAP_S = 10.0  # FFmpeg's own limit for formats whose clock may jump


class Clock:
    """Seconds from the first frame on, strictly ascending. Feed it the frames' stamps in presentation order.

    A clock that runs back (joined recordings) is bridged: the next frame follows one step after the last. So is, in
    formats that declare such jumps as possible, a gap of more than 10 s.

    Args:
        time_base: seconds of one tick.
        step_s: nominal time from one frame to the next, before a real step has been seen.
        jumps: the container's clock may jump forward without meaning a pause (MPEG-TS, MPEG-PS).
    """

    def __init__(self, time_base: Fraction, step_s: float, jumps: bool) -> None:
        self._time_base = time_base
        self._step_s = step_s
        self._jumps = jumps
        self._start: int | None = None
        self._bridged_s = 0.0
        self._last_s: float | None = None

    def time_s(self, stamp: int | None) -> float:
        """When the frame with this stamp is shown; one step after the frame before where it has none."""
        if self._last_s is None:
            self._start = stamp
            self._last_s = 0.0
            return 0.0
        if stamp is None or self._start is None:
            self._last_s += self._step_s
            return self._last_s
        since_start_s = float((stamp - self._start) * self._time_base)
        time_s = since_start_s + self._bridged_s
        step_s = time_s - self._last_s
        if step_s <= -self._step_s or (self._jumps and step_s > _GAP_S):
            time_s = self._last_s + self._step_s
            self._bridged_s = time_s - since_start_s
        elif step_s < float(self._time_base) / 2:  # rounded or repeated stamps: the clock itself is right
            time_s = self._last_s + self._step_s / 16
        else:
            self._step_s = min(step_s, max(self._step_s, 1.0))
        self._last_s = time_s
        return time_s
