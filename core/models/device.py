"""Where neural models run."""

import torch


def default_device() -> torch.device:
    """The GPU this process was given, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def half_precision(device: torch.device) -> torch.autocast:
    """A context in which models compute in bfloat16 on a GPU, and as they are on the CPU."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
