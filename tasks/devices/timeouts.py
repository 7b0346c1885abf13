"""How long an item may take."""

from dataclasses import dataclass

from core.errors import MaskflowError

STALL_TIMEOUT_S = 900.0


@dataclass(frozen=True)
class Timeouts:
    """Limits for each item, in seconds.

    Attributes:
        stall_s: longest time without progress: decoders, COLMAP and CUDA calls can hang.
        item_s: longest time in all; None: as long as it makes progress.
    """

    stall_s: float = STALL_TIMEOUT_S
    item_s: float | None = None


class TimedOut(MaskflowError):
    """An item took too long; its worker was killed. Not tried again: it would take as long."""


def in_words(seconds: float) -> str:
    """`15 min` or `40 s`."""
    return f"{seconds / 60:g} min" if seconds >= 60 and seconds % 60 == 0 else f"{seconds:g} s"
