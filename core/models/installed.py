"""Backends whose package and weights their user installs: which there are, which can run here, and `auto`.

A backend without a package is ours, and always there. Models are loaded once per process.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from core.errors import RefusedInput
from core.models import loaders
from core.models.registry import check_unchanged
from core.models.roles import PointTracker, WindowReconstructor
from core.models.spec import ModelSpec
from core.weights.catalogue import MODELS
from core.weights.folder import WEIGHTS_FILE


@dataclass(frozen=True)
class Installed:
    """One way to play a role.

    Attributes:
        name: what users call it.
        version: changes whenever results change: part of every cache key.
        package: module that must be there; None: none but ours.
        install: how to get that.
        weights: where they are looked for (a file, or a folder with them), the first that is there is taken; none: it
            needs none.
    """

    name: str
    version: str
    package: str | None = None
    install: str = ""
    weights: tuple[Path, ...] = ()

    @property
    def uses_gpu(self) -> bool:
        """Whether it wants one."""
        return self.package is not None

    def missing(self) -> str | None:
        """Why it cannot run here and what to do about it; None where it can."""
        if self.package is not None and not _importable(self.package):
            return f"the package {self.package} is not installed ({self.install})"
        if self.weights and self.find() is None:
            return f"there are no weights at {' or '.join(str(path.absolute()) for path in self.weights)}"
        return None

    def find(self) -> Path | None:
        """Its weights."""
        return next((path for path in self.weights if path.is_file() or (path / WEIGHTS_FILE).is_file()), None)

    def spec(self, digest: Callable[[Path], str]) -> ModelSpec:
        """The model decided upon; `digest` gives the SHA-256 of a file's or a folder's content."""
        path = self.find()
        absolute = None if path is None else path.absolute()
        return ModelSpec(
            backend=self.name,
            version=self.version,
            path=absolute,
            sha256=None if absolute is None else digest(absolute),
        )


def _importable(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package it is in
        return False


RECONSTRUCTORS: Sequence[Installed] = (
    Installed(
        "vggt",
        "1",
        "vggt",
        "pip install git+https://github.com/facebookresearch/vggt",
        (MODELS / "vggt" / "model.safetensors", MODELS / "vggt" / "model.pt"),
    ),
    Installed("colmap", "1"),
)
_COTRACKER = "pip install git+https://github.com/facebookresearch/co-tracker"
_CLONE = "clone https://github.com/{}, install its requirements and put the clone on PYTHONPATH"
POINT_TRACKERS: Sequence[Installed] = (
    Installed(
        "mvtracker",
        "1",
        "mvtracker",
        _CLONE.format("ethz-vlg/mvtracker"),
        (MODELS / "mvtracker" / "mvtracker_200000_june2025.pth",),
    ),
    Installed(
        "spatialtrackerv2",
        "1",
        "models.SpaTrackV2",
        _CLONE.format("henry123-boy/SpaTrackerV2"),
        (MODELS / "spatialtrackerv2",),
    ),
    Installed("cotracker3_offline", "1", "cotracker", _COTRACKER, (MODELS / "cotracker3" / "scaled_offline.pth",)),
    Installed("cotracker3_online", "1", "cotracker", _COTRACKER, (MODELS / "cotracker3" / "scaled_online.pth",)),
    Installed("lk", "1"),
)


def choose_installed(
    parameter: str, name: str, backends: Sequence[Installed], model_path: Path | None = None
) -> Installed:
    """The backend called `name`, its weights at `model_path` if given, or for `auto` the first that can run.

    Raises:
        RefusedInput: it cannot run here; the message tells what to do.
    """
    for backend in backends:
        given = model_path is not None and bool(backend.weights)
        chosen = replace(backend, weights=(model_path,)) if given and model_path is not None else backend
        reason = chosen.missing()
        if reason is not None and (name == chosen.name or (name == "auto" and given)):
            raise RefusedInput(f"{parameter} = {name!r}: {chosen.name} cannot be used: {reason}")
        if reason is None and name in ("auto", chosen.name):
            return chosen
    raise RefusedInput.of(parameter, name, "use " + ", ".join(["auto", *(b.name for b in backends)]))


def choice_notes(role: str, asked: str, chosen: Installed, backends: Sequence[Installed]) -> list[str]:
    """What plays a role, and where `auto` took a lesser one, what the best would need."""
    notes = [f"{role}: {chosen.name}{' (auto)' if asked == 'auto' else ''}"]
    if asked == "auto" and chosen.name != backends[0].name:
        notes.append(f"{backends[0].name} is not used: {backends[0].missing()}")
    return notes


@lru_cache(maxsize=1)
def load_reconstructor(spec: ModelSpec) -> WindowReconstructor:
    """The network of this spec, loaded once per process. Raises `Unavailable` where its weights have changed."""
    model = loaders.vggt(spec)
    check_unchanged(spec)
    return model


@lru_cache(maxsize=1)
def load_point_tracker(spec: ModelSpec) -> PointTracker:
    """The point tracker of this spec, loaded once per process. Raises `Unavailable` where its weights have changed."""
    tracker = loaders.point_tracker(spec)
    check_unchanged(spec)
    return tracker
