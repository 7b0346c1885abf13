"""Weights of a SAM 2 of a size of its own: a safetensors file whose header gives the sizes."""

from math import prod
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from sam2.modeling.sam2_base import SAM2Base

from core.errors import UnsafeFile, reason_of
from core.models.sam2.architecture import Architecture, build_architecture
from core.models.sam2.checkpoint import check_names_and_shapes
from core.store.atomic import atomic_file

_ARCHITECTURE = "sam2_architecture"
_MOST_PARAMETERS = 10**9


def check_own_weights(path: Path) -> Architecture:
    """The sizes in a file's header, whose tensors are looked at, but not read.

    Raises:
        UnsafeFile: the file is not readable, is cut short, or does not say its sizes.
        RefusedInput: its tensors are not those of a model of these sizes.
    """
    with _opened(path) as file:
        return _fitting(path, file, torch.device("cpu"))[0]


def load_own_weights(path: Path, device: torch.device, image_size: int | None = None) -> SAM2Base:
    """The model in a file, in evaluation mode.

    Args:
        path: what `save_own_weights` wrote.
        device: where it runs.
        image_size: side of the square it sees; None: the one it was trained on.

    Raises: as `check_own_weights`.
    """
    with _opened(path) as file:
        _, model = _fitting(path, file, device, image_size)
        model.load_state_dict({name: file.get_tensor(name).float() for name in file.keys()})  # noqa: SIM118 - no mapping
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


def _fitting(
    path: Path, file: Any, device: torch.device, image_size: int | None = None
) -> tuple[Architecture, SAM2Base]:
    """The sizes in an open file, and a model with random weights that its tensors fit."""
    architecture = _architecture(path, file.metadata() or {})
    shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 - no mapping
    there = sum(map(prod, shapes.values()))
    # Before a model of these sizes is made: a header may claim anything.
    if there > _MOST_PARAMETERS or architecture.least_parameters > there:
        raise UnsafeFile(f"{path}: its {there:,} parameters are too many, or too few for the sizes in its header")
    model = build_architecture(architecture, device, image_size)
    check_names_and_shapes(model, shapes, path, "its own sizes")
    return architecture, model


def _architecture(path: Path, header: dict[str, str]) -> Architecture:
    if _ARCHITECTURE not in header:
        raise UnsafeFile(f"{path}: its header has no {_ARCHITECTURE}: not the weights of a SAM 2 of a size of its own")
    try:
        return Architecture.model_validate_json(header[_ARCHITECTURE])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UnsafeFile(f"{path}: {_ARCHITECTURE} in its header: {where}: {first['msg']}") from None
