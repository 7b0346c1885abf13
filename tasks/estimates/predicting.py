"""What an item will need, from what earlier ones needed."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.estimates.history import History, Sample
from tasks.items import Item, Stage

_UNKNOWN_S = 0.3
_UNKNOWN_MIB = 250.0


@dataclass(frozen=True)
class Prediction:
    """What an item will need.

    Attributes:
        seconds: of work in a slot.
        host_mib, gpu_mib: peak memory of its worker, and on its GPU.
        output_bytes: of the files it leaves.
        measured: by items made on this machine; else by those that we measured.
    """

    seconds: float
    host_mib: float
    gpu_mib: float | None
    output_bytes: float
    measured: bool


class Predictor:
    """Predicts the items of one stage, in a run of so many slots."""

    def __init__(self, history: History, stage: Stage, slots: int) -> None:
        self._slots = slots
        self._own = history.samples(stage)
        self._shipped = history.shipped_samples(stage)
        self._lines: dict[tuple[tuple[str, ...], str | None], _Line | None] = {}

    def predict(self, item: Item, device: str | None = None) -> Prediction:
        """What `item` will need, on any device or, where something is known of that, on this one.

        From the samples that are most like it: of the same `kind`, or of as long a beginning of it as there are any of;
        of these, those of runs with as many slots, where there are any.
        """
        kind = item.kind
        for on in (device, None) if device is not None else (None,):
            for length in range(len(kind), -1, -1):
                line = self._line(kind[:length], on)
                if line is not None:
                    return line.at(item.cost, bool(self._own))
        return Prediction(_UNKNOWN_S, _UNKNOWN_MIB, None, 0.0, False)

    def _line(self, kind: tuple[str, ...], device: str | None) -> "_Line | None":
        if (kind, device) not in self._lines:
            alike = [
                one
                for one in self._own or self._shipped
                if one.kind[: len(kind)] == kind and device in (None, one.device)
            ]
            beside_as_many = [one for one in alike if one.slots == self._slots]
            self._lines[kind, device] = _Line.through(beside_as_many or alike) if alike else None
        return self._lines[kind, device]


@dataclass(frozen=True)
class _Line:
    """Seconds as `start_s + cost x rate`, neither negative."""

    start_s: float
    rate: float
    largest_cost: float
    host_mib: float
    gpu_mib: float | None
    bytes_per_cost: float

    @classmethod
    def through(cls, samples: Sequence[Sample]) -> "_Line":
        """By least squares; through the origin where it would begin below that, level where it would fall.

        Whatever its form, the seconds of all samples add up to what they took: what a run needs in all is right even
        where single items are not.
        """
        count = len(samples)
        mean_cost = sum(one.cost for one in samples) / count
        mean_s = sum(one.seconds for one in samples) / count
        spread = sum((one.cost - mean_cost) ** 2 for one in samples)
        start_s, rate = 0.0, mean_s / mean_cost if mean_cost > 0 else 0.0
        if spread > 0:
            slope = sum((one.cost - mean_cost) * (one.seconds - mean_s) for one in samples) / spread
            begin_s = mean_s - slope * mean_cost
            if slope < 0:
                start_s, rate = mean_s, 0.0
            elif begin_s >= 0:
                start_s, rate = begin_s, slope
        if rate == 0.0:
            start_s = mean_s
        gpu = [one.gpu_mib for one in samples if one.gpu_mib is not None]
        size = sum(one.output_bytes for one in samples) / max(1e-9, sum(one.cost for one in samples))
        largest = max(one.cost for one in samples)
        return cls(start_s, rate, largest, max(one.host_mib for one in samples), max(gpu) if gpu else None, size)

    def at(self, cost: float, measured: bool) -> Prediction:
        """Of an item of that cost."""
        seconds = self.start_s + self.rate * cost
        if (
            self.rate == 0.0 and cost > self.largest_cost > 0
        ):  # that small ones took the same says nothing of large ones
            seconds *= cost / self.largest_cost
        return Prediction(seconds, self.host_mib, self.gpu_mib, self.bytes_per_cost * cost, measured)
