"""Point trackers as backends: what each needs, and how it is loaded."""

from collections.abc import Callable
from pathlib import Path

from core.models.backend import Backend, NeededWeights, Package
from core.models.options import ModelOptions
from core.models.roles import PointTracker
from core.models.spec import ModelSpec
from core.weights.catalogue import MODELS

_COTRACKER = Package("cotracker", "pip install git+https://github.com/facebookresearch/co-tracker")


def _clone(module: str, repository: str) -> Package:
    return Package(
        module, f"clone https://github.com/{repository}, install its requirements and put the clone on PYTHONPATH"
    )


def _at(*parts: str) -> Callable[[ModelOptions], NeededWeights]:
    """Weights at this place below the models folder, unless the user named another."""

    def weights(options: ModelOptions) -> NeededWeights:
        given = options.model_path
        return NeededWeights((given or Path(MODELS, *parts),), given=given is not None)

    return weights


def _mvtracker(spec: ModelSpec) -> PointTracker:
    from core.models.points.mvtracker import load_mvtracker

    return load_mvtracker(spec.weights)


def _spatialtrackerv2(spec: ModelSpec) -> PointTracker:
    from core.models.points.spatialtrackerv2 import load_spatialtrackerv2

    return load_spatialtrackerv2(spec.weights)


def _cotracker3(spec: ModelSpec) -> PointTracker:
    from core.models.points.cotracker3 import load_cotracker3

    return load_cotracker3(spec.weights, online=spec.backend == "cotracker3_online")


def _lk(_: ModelSpec) -> PointTracker:
    from core.models.points.lk import LucasKanade

    return LucasKanade()


TRACKERS = (
    Backend(
        "mvtracker",
        "1",
        _mvtracker,
        joint=True,
        weights=_at("mvtracker", "mvtracker_200000_june2025.pth"),
        package=_clone("mvtracker", "ethz-vlg/mvtracker"),
    ),
    Backend(
        "spatialtrackerv2",
        "1",
        _spatialtrackerv2,
        joint=True,
        weights=_at("spatialtrackerv2"),
        package=_clone("models.SpaTrackV2", "henry123-boy/SpaTrackerV2"),
    ),
    Backend(
        "cotracker3_offline",
        "1",
        _cotracker3,
        joint=True,
        weights=_at("cotracker3", "scaled_offline.pth"),
        package=_COTRACKER,
    ),
    Backend(
        "cotracker3_online",
        "1",
        _cotracker3,
        joint=True,
        weights=_at("cotracker3", "scaled_online.pth"),
        package=_COTRACKER,
    ),
    Backend("lk", "2", _lk, uses_gpu=False),
)
