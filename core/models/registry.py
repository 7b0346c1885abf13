"""Backends by name: which there are, which of them can run here, and `auto`, which picks.

A new backend adds one entry; nothing else has to know it. Models are loaded once per process.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Generic, NoReturn, TypeVar

from core.errors import RefusedInput, Unavailable
from core.models.roles import Detector, VideoSegmenter

T = TypeVar("T")


@dataclass(frozen=True)
class Backend(Generic[T]):
    """One way to play a role.

    Attributes:
        name: what users call it.
        version: changes whenever results change: part of every cache key.
        load: makes the model; imports what it needs, so that choosing costs nothing.
        check_prompt: raises `RefusedInput` for a text it cannot serve; loads no model.
        missing: why it cannot run here and what to do about it; None where it can.
    """

    name: str
    version: str
    load: Callable[[], T]
    check_prompt: Callable[[str], None] = lambda _: None
    missing: Callable[[], str | None] = lambda: None


def _not_built_in(name: str, alternative: str) -> Callable[[], str]:
    return lambda: f"{name} is not part of this version of Maskflow; use {alternative} or auto"


def _never() -> NoReturn:
    raise Unavailable("this backend cannot be loaded")


def _classical_detector() -> Detector:
    from core.models.classical.detector import ClassicalDetector

    return ClassicalDetector()


def _check_classical_prompt(prompt: str) -> None:
    from core.models.classical.detector import ClassicalDetector

    ClassicalDetector().start(prompt)


def _classical_segmenter() -> VideoSegmenter:
    from core.models.classical.segmenter import ClassicalSegmenter

    return ClassicalSegmenter()


DETECTORS: Sequence[Backend[Detector]] = (
    Backend("grounding-dino", "", _never, missing=_not_built_in("grounding-dino", "classical")),
    Backend("sam3", "", _never, missing=_not_built_in("sam3", "classical")),
    Backend("classical", "1", _classical_detector, _check_classical_prompt),
)
SEGMENTERS: Sequence[Backend[VideoSegmenter]] = (
    Backend("sam2", "", _never, missing=_not_built_in("sam2", "classical")),
    Backend("classical", "1", _classical_segmenter),
)


def choose(parameter: str, name: str, backends: Sequence[Backend[T]]) -> Backend[T]:
    """The backend called `name`, or for `auto` the first that can run here.

    Raises:
        RefusedInput: no backend has this name, or it cannot run here; the message tells what to do.
    """
    for backend in backends:
        reason = backend.missing()
        if name == backend.name and reason is not None:
            raise RefusedInput(f"{parameter} = {name!r} cannot be used: {reason}")
        if reason is None and name in ("auto", backend.name):
            return backend
    raise RefusedInput.of(parameter, name, "use " + ", ".join(["auto", *(b.name for b in backends)]))


@cache
def load_detector(name: str) -> Detector:
    """The detector of this name, loaded once per process."""
    return choose("detector", name, DETECTORS).load()


@cache
def load_segmenter(name: str) -> VideoSegmenter:
    """The segmenter of this name, loaded once per process."""
    return choose("segmenter", name, SEGMENTERS).load()
