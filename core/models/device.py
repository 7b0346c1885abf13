"""Where neural models run."""

import os

import torch

from core.errors import Unavailable


def default_device() -> torch.device:
    """The device this process was given; outside of a device worker the GPU where there is one.

    Raises:
        Unavailable: it was given a GPU that torch cannot use: never the CPU without a word.
    """
    given = os.environ.get("MASKFLOW_DEVICE")
    if given == "mps":
        if not torch.backends.mps.is_available():
            raise Unavailable("this torch cannot use Apple's GPU: update macOS or torch, or set CUDA_VISIBLE_DEVICES=")
        return torch.device("mps")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if given == "cuda":
        remedy = "install a build of torch for it, or set CUDA_VISIBLE_DEVICES= to run on the CPU"
        raise Unavailable(f"torch {torch.__version__} cannot use the GPU of this slot: {remedy}")
    return torch.device("cpu")


def half_dtype() -> torch.dtype:
    """What GPUs compute in: bfloat16 where they have it, float16 on older ones."""
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def half_precision(device: torch.device) -> torch.autocast:
    """A context in which models compute in half precision on a CUDA GPU, and as they are elsewhere."""
    if device.type != "cuda":
        return torch.autocast("cpu", torch.bfloat16, enabled=False)
    return torch.autocast("cuda", half_dtype())
