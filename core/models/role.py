"""A role that models play: the backends there are for it, the best first; `auto`, which picks; and loading."""

import logging
import time
from collections.abc import Sequence
from typing import Generic, TypeVar

from core.errors import RefusedInput, Unavailable
from core.models.backend import Backend
from core.models.options import ModelOptions
from core.models.spec import ModelSpec
from core.store.digests import host_digest

T = TypeVar("T")
AUTO = "auto"
_log = logging.getLogger("maskflow.models")


class Role(Generic[T]):
    """The backends of one role. A process keeps the last model that it loaded for it."""

    def __init__(self, name: str, backends: Sequence[Backend[T]], parameter: str | None = None) -> None:
        """`auto` tries the backends in their order, of which the last needs nothing; `parameter` of flows names one."""
        self.name = name
        self.parameter = parameter or name
        self.backends = tuple(backends)
        self._loaded: tuple[ModelSpec, T] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What users may choose."""
        return (AUTO, *(backend.name for backend in self.backends))

    def choose(self, name: str, options: ModelOptions) -> Backend[T]:
        """The backend called `name`, or for `auto` the first that can run here.

        Weights that the user gave are those of the backend of that name, with `auto` of the first.

        Raises:
            RefusedInput: no backend has this name, or it cannot run here; the message says what to do.
        """
        if name not in self.names:
            raise RefusedInput.of(self.parameter, name, "use " + ", ".join(self.names))
        if name == AUTO and not self.backends[0].given(options):
            able = (one for one in self.backends if not one.by_name_only and one.missing(options) is None)
            return next(able)
        backend = self.backends[0] if name == AUTO else next(one for one in self.backends if one.name == name)
        reason = backend.missing(options)
        if reason is not None:
            raise RefusedInput.unusable(self.parameter, backend.name, reason)
        return backend

    def notes(self, requested: str, chosen: Backend[T], options: ModelOptions) -> list[str]:
        """Which backend a run uses, and where `auto` took a lesser one, what the best would need."""
        settings = " ".join(chosen.variant(options))
        auto = " (auto)" if requested == AUTO else ""
        notes = [f"{self.name.capitalize()}: {chosen.name}{auto} {settings}".rstrip()]
        best = self.backends[0]
        if requested == AUTO and chosen is not best:
            notes.append(f"{best.name} is not used: {best.missing(options)}")
        elif chosen.weights is None and best.weights is not None and best.given(options):
            notes.append(f"{best.weights(options).path} is not used: {chosen.name} needs no weights")
        return notes

    def load(self, spec: ModelSpec) -> T:
        """The model of this spec, loaded once per process.

        Raises:
            Unavailable: its weights have changed since the run began, or no backend has its name.
        """
        if self._loaded is None or self._loaded[0] != spec:
            self._loaded = None  # the memory of one model is free before the next is loaded
            backend = next((one for one in self.backends if one.name == spec.backend), None)
            if backend is None:
                raise Unavailable(f"no {self.name} is called {spec.backend!r}: the run that chose it had others")
            started_s = time.monotonic()
            model = backend.load(spec)
            _check_unchanged(spec)
            _log.info("%s %s loaded in %.1f s", self.name, spec.name, time.monotonic() - started_s)
            self._loaded = spec, model
        return self._loaded[1]


def _check_unchanged(spec: ModelSpec) -> None:
    """Raises `Unavailable` where a model's weights are no more those that were decided upon."""
    # What was decided upon goes into keys and manifests: anything else must not be loaded under its name.
    if spec.path is not None and host_digest(spec.path) != spec.sha256:
        raise Unavailable(f"{spec.path} has changed since the run began: run again")
