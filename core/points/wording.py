"""Figures of tracked points in words, for the page and the summary. Light."""

from collections.abc import Sequence
from typing import Any


def distances(metres: Sequence[float]) -> str:
    """Median and 90th percentile, in centimetres."""
    return f"{100 * metres[0]:.1f} / {100 * metres[1]:.1f} cm"


def kept(figures: dict[str, Any]) -> str:
    """How many points were kept, and why not the others."""
    refined = figures["refined"]
    if refined is None:
        return "all"
    return f"{refined['kept']:,} (static {refined['static']:,}, never seen {refined['never_visible']:,})"


def splitting(figures: dict[str, Any], batches: int) -> str:
    """What splitting changed."""
    effect = figures["splitting"]
    if effect is not None:
        return distances([effect["median_m"], effect["p90_m"]])
    return "nothing: points are tracked one by one" if batches > 1 else "not split"
