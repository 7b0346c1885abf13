"""The tiny SAM 2 that was trained on rendered clips, as requests and tests want it."""

from functools import cache
from typing import Any

import torch
from sam2.modeling.sam2_base import SAM2Base

from core.models.options import ModelOptions
from core.models.sam2.backend import SEGMENTER
from core.models.sam2.own_weights import load_own_weights
from core.store.digests import host_digest
from core.weights.catalogue import TINY_SAM2

OPTIONS = ModelOptions(model_path=TINY_SAM2)


@cache
def trained_sam2() -> SAM2Base:
    """The model, loaded once; do not change it."""
    return load_own_weights(TINY_SAM2, torch.device("cpu"))


def trained_spec() -> dict[str, Any]:
    """As a flow decides upon it, JSON-able."""
    return SEGMENTER.spec(OPTIONS, host_digest).model_dump(mode="json")
