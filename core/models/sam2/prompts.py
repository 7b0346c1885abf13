"""Prompts in the form the model takes them: points with labels, or a mask, scaled to its square image."""

import torch
from torch import Tensor
from torch.nn import functional

from core.prompts import Prompt

_BACKGROUND, _OBJECT, _TOP_LEFT, _BOTTOM_RIGHT = 0, 1, 2, 3


def point_inputs(prompt: Prompt, height: int, width: int, size: int, device: torch.device) -> dict[str, Tensor]:
    """A box and points as the prompt encoder wants them; a box is two points, before all others.

    Args:
        prompt: in pixels of a frame of `height` x `width`.
        height: of the frame.
        width: of the frame.
        size: side of the square image the model sees.
        device: where the tensors go.

    Returns:
        `point_coords` float32 [1, P, 2] (x, y) in the square, `point_labels` int32 [1, P].
    """
    coords: list[tuple[float, float]] = []
    labels: list[int] = []
    if prompt.box is not None:
        x0, y0, x1, y1 = prompt.box
        coords += [(x0, y0), (x1, y1)]
        labels += [_TOP_LEFT, _BOTTOM_RIGHT]
    for x, y, positive in prompt.points:
        coords.append((x, y))
        labels.append(_OBJECT if positive else _BACKGROUND)
    scaled = torch.tensor([coords], dtype=torch.float32) / torch.tensor([width, height]) * size
    return {
        "point_coords": scaled.to(device, non_blocking=True),
        "point_labels": torch.tensor([labels], dtype=torch.int32).to(device, non_blocking=True),
    }


def mask_input(prompt: Prompt, size: int, device: torch.device) -> Tensor:
    """A mask of any size as the model takes it: float32 [1, 1, size, size] of zeros and ones."""
    assert prompt.mask is not None
    mask = torch.from_numpy(prompt.mask).to(device)[None, None].float()
    if mask.shape[-2:] == (size, size):
        return mask
    squashed = functional.interpolate(mask, size=(size, size), mode="bilinear", align_corners=False, antialias=True)
    return (squashed >= 0.5).float()
