"""VGGT as a backend: what it needs, and how it is loaded."""

from core.models.backend import Backend, NeededWeights, Package
from core.models.options import ModelOptions
from core.models.roles import WindowReconstructor
from core.models.spec import ModelSpec
from core.weights.catalogue import MODELS


def _load(spec: ModelSpec) -> WindowReconstructor:
    from core.models.vggt.model import Vggt

    return Vggt.load(spec.weights)


def _weights(options: ModelOptions) -> NeededWeights:
    if options.model_path is not None:
        return NeededWeights((options.model_path,), given=True)
    return NeededWeights((MODELS / "vggt" / "model.safetensors", MODELS / "vggt" / "model.pt"))


RECONSTRUCTOR = Backend(
    "vggt",
    "1",
    _load,
    weights=_weights,
    package=Package("vggt", "pip install git+https://github.com/facebookresearch/vggt"),
)
