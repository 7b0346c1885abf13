"""Weights of a SAM 2 of a size of its own: a safetensors file whose header gives the sizes."""

from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from core.errors import UnsafeFile, reason_of
from core.models.sam2.architecture import Architecture, build_architecture
from core.models.sam2.checkpoint import fill
from core.store.atomic import atomic_file

SUFFIX = ".safetensors"
_ARCHITECTURE = "sam2_architecture"


def read_architecture(path: Path) -> Architecture:
    """The sizes in a file's header; reads no tensor. Raises `UnsafeFile` where it is no such file."""
    with _opened(path) as file:
        return _architecture(path, file.metadata() or {})


def load_own_weights(path: Path, device: torch.device, image_size: int | None = None) -> SAM2Base:
    """The model in a file, in evaluation mode.

    Args:
        path: what `save_own_weights` wrote.
        device: where it runs.
        image_size: side of the square it sees; None: the one it was trained on.

    Raises:
        UnsafeFile: the file is not readable, is cut short, or does not say its sizes.
        RefusedInput: its tensors are not those of a model of these sizes.
    """
    with _opened(path) as file:
        architecture = _architecture(path, file.metadata() or {})
        state: dict[str, Tensor] = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 - no mapping
    model = build_architecture(architecture, device, image_size)
    fill(model, state, path, "its own sizes")
    return model


def save_own_weights(model: SAM2Base, architecture: Architecture, path: Path, made_by: str) -> None:
    """Write a model of these sizes in half precision, atomically. `made_by`: the command that trained it."""
    tensors = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    header = {_ARCHITECTURE: architecture.model_dump_json(), "made_by": made_by}
    with atomic_file(path) as temporary:
        save_file(tensors, temporary, header)


def _opened(path: Path) -> safe_open:
    try:
        return safe_open(path, framework="pt")
    except OSError as error:
        raise UnsafeFile(f"{path}: {reason_of(error)}") from None
    except SafetensorError as error:
        raise UnsafeFile(f"{path}: not a safetensors file, or cut short ({error})") from None


def _architecture(path: Path, header: dict[str, str]) -> Architecture:
    if _ARCHITECTURE not in header:
        raise UnsafeFile(f"{path}: its header has no {_ARCHITECTURE}: not the weights of a SAM 2 of a size of its own")
    try:
        return Architecture.model_validate_json(header[_ARCHITECTURE])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UnsafeFile(f"{path}: {_ARCHITECTURE} in its header: {where}: {first['msg']}") from None
