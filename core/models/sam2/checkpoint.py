"""SAM 2 checkpoints: files of tensors, opened without running anything in them, and matched to the model requested."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from core.errors import RefusedInput, UnsafeFile, reason_of
from core.store.safe_load import load_pth
from core.weights.sam2_names import SamType

_TRUNK = "image_encoder.trunk"
_SIZES: Mapping[tuple[int, int], str] = {
    (96, 12): "tiny",
    (96, 16): "small",
    (112, 24): "base_plus",
    (144, 48): "large",
}
_SHOWN = 3  # differences named in a message


def check_checkpoint(path: Path, sam_type: SamType) -> None:
    """Refuse a file that cannot be this model's, without reading its tensors.

    Raises:
        UnsafeFile: the file is not readable, is truncated, or holds anything but tensors.
        RefusedInput: it holds another model.
    """
    _expect(path, _tensors(path, torch.device("meta")), sam_type)


def load_weights(model: SAM2Base, path: Path, sam_type: SamType) -> None:
    """Fill `model` with the checkpoint's weights. Raises as `check_checkpoint`."""
    state = _tensors(path, torch.device("cpu"))
    _expect(path, state, sam_type)
    check_names_and_shapes(model, {name: tensor.shape for name, tensor in state.items()}, path, sam_type)
    model.load_state_dict(state)


def check_names_and_shapes(model: SAM2Base, found: Mapping[str, Sequence[int]], path: Path, what: str) -> None:
    """Raises `RefusedInput` where tensors found at `path`, shapes by name, are not exactly those of a model."""
    wanted = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    differences = [f"{name} is missing" for name in wanted if name not in found]
    differences += [f"{name} is not part of it" for name in found if name not in wanted]
    differences += [
        f"{name} is {list(found[name])} instead of {shape}"
        for name, shape in wanted.items()
        if name in found and list(found[name]) != shape
    ]
    if differences:
        more = f" and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
        shown = "; ".join(differences[:_SHOWN])
        raise RefusedInput(f"model_path = '{path}' does not fit {what}: {shown}{more}")


def identify(state: Mapping[str, Tensor]) -> str | None:
    """Which published model these tensors are, by the trunk's width and depth; None where no one's."""
    patches = state.get(f"{_TRUNK}.patch_embed.proj.weight")
    if patches is None or patches.ndim != 4:
        return None
    depth = len({name.split(".")[3] for name in state if name.startswith(f"{_TRUNK}.blocks.")})
    size = _SIZES.get((patches.shape[0], depth))
    family = "sam2.1" if "no_obj_embed_spatial" in state else "sam2"
    return None if size is None else f"{family}_hiera_{size}"


def _tensors(path: Path, device: torch.device) -> dict[str, Tensor]:
    try:
        content = load_pth(path, device=device)
    except OSError as error:
        raise UnsafeFile(f"{path}: {reason_of(error)}") from None
    state = content.get("model") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise UnsafeFile(f"{path}: not a SAM 2 checkpoint (a dictionary whose entry 'model' holds tensors)")
    return state


def _expect(path: Path, state: Mapping[str, Tensor], sam_type: SamType) -> None:
    found = identify(state)
    if found is None:
        raise RefusedInput(
            f"model_path = '{path}' is no SAM 2 model: its {len(state)} tensors have other names or shapes"
        )
    if found != sam_type:
        raise RefusedInput(
            f"model_path = '{path}' holds {found}, not {sam_type}: give --sam-type {found}, or its own file"
        )
