"""COLMAP as a choice beside the networks: always there. Its stages are in `core/reconstruction`."""

from core.errors import Unavailable
from core.models.backend import Backend
from core.models.roles import WindowReconstructor
from core.models.spec import ModelSpec


def _load(_: ModelSpec) -> WindowReconstructor:
    raise Unavailable("colmap has no network: its windows are solved from matched features")


COLMAP = Backend("colmap", "1", _load, uses_gpu=False)
