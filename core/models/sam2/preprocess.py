"""A frame to what SAM 2 sees: a square, normalised float image.

The package squashes frames with Pillow's bicubic resampling. On the CPU so do we. For a GPU the frame crosses over
as bytes and is resampled there in Pillow's own integers, so that it sees the same picture to the last bit; frames that
are taller than wide, which Pillow 13 may resample rows first, are left to Pillow and cross over small.
"""

import math
from functools import lru_cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from core.video.frames import RGB

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
_PRECISION_BITS = 22  # fixed point of Pillow's 8-bit resampling
_BICUBIC_A = -0.5


def prepare(image: RGB, size: int, device: torch.device) -> Tensor:
    """Squash and normalise one frame.

    Args:
        image: uint8 RGB [H, W, 3].
        size: side of the square.
        device: where the work is done.

    Returns:
        float32 [1, 3, size, size], ImageNet-normalised.
    """
    if device.type == "cpu" or image.shape[0] > image.shape[1]:
        squashed = torch.from_numpy(np.array(Image.fromarray(image).resize((size, size)))).to(device, non_blocking=True)
    else:
        squashed = resize_bicubic(torch.from_numpy(image).to(device, non_blocking=True), size, size)
    # In float64 and rounded once, as the package does it with NumPy.
    scaled = (squashed.permute(2, 0, 1).double() / 255.0).float()
    mean, std = _statistics(device)
    return ((scaled - mean) / std)[None].contiguous()


@lru_cache(maxsize=4)
def _statistics(device: torch.device) -> tuple[Tensor, Tensor]:
    """ImageNet's mean and standard deviation, [3, 1, 1] each."""
    return torch.tensor(_MEAN, device=device)[:, None, None], torch.tensor(_STD, device=device)[:, None, None]


def resize_bicubic(image: Tensor, height: int, width: int) -> Tensor:
    """Antialiased bicubic resampling in Pillow's fixed point, columns first.

    Equal to `PIL.Image.resize` byte for byte for images that are no taller than wide; others Pillow 13 may resample
    rows first, and round differently in between.

    Args:
        image: uint8 [H, W, C].
        height: rows wanted.
        width: columns wanted.

    Returns:
        uint8 [height, width, C] on the same device.
    """
    return _resample(_resample(image, dim=1, size=width), dim=0, size=height)


def _resample(image: Tensor, dim: int, size: int) -> Tensor:
    if image.shape[dim] == size:
        return image
    taps, weights = _kernel(image.shape[dim], size, image.device)
    shape = (-1, 1, 1) if dim == 0 else (1, -1, 1)
    total: Tensor | None = None
    for tap, weight in zip(taps, weights, strict=True):
        term = image.index_select(dim, tap).int() * weight.view(shape)
        total = term + (1 << (_PRECISION_BITS - 1)) if total is None else total.add_(term)
    assert total is not None
    return (total >> _PRECISION_BITS).clamp_(0, 255).to(torch.uint8)


@lru_cache(maxsize=16)
def _kernel(size_in: int, size_out: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Which pixels make each output pixel, and how much of each: int32 [taps, size_out] both.

    Cubic convolution (Keys 1981, a = -0.5), stretched by the scale when shrinking.
    """
    scale = size_in / size_out
    stretch = max(scale, 1.0)
    support = 2.0 * stretch
    taps = math.ceil(support) * 2 + 1
    pixels = torch.zeros(taps, size_out, dtype=torch.int32)
    weights = torch.zeros(taps, size_out, dtype=torch.int32)
    for out in range(size_out):
        centre = (out + 0.5) * scale
        first = max(int(centre - support + 0.5), 0)
        last = min(int(centre + support + 0.5), size_in)
        share = [_cubic((pixel - centre + 0.5) * (1 / stretch)) for pixel in range(first, last)]
        whole = sum(share)
        for tap, one in enumerate(share):
            fixed = one / whole * (1 << _PRECISION_BITS)
            pixels[tap, out] = first + tap
            weights[tap, out] = int(fixed + math.copysign(0.5, fixed))
    return pixels.to(device), weights.to(device)


def _cubic(x: float) -> float:
    x = abs(x)
    if x < 1:
        return ((_BICUBIC_A + 2) * x - (_BICUBIC_A + 3)) * x * x + 1
    if x < 2:
        return (((x - 5) * x + 8) * x - 4) * _BICUBIC_A
    return 0.0
