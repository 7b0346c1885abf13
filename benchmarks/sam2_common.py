"""What the SAM 2 benchmarks share: the real architectures with random weights, and frames of noise and squares."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from sam2.build_sam import build_sam2_video_predictor
from sam2.modeling.sam2_base import SAM2Base
from sam2.sam2_video_predictor import SAM2VideoPredictor

from core.models.sam2.build import build
from core.prompts import Prompt
from core.video.frames import RGB
from core.weights.sam2_names import SamType, config_name


def random_model(sam_type: SamType, device: torch.device, image_size: int) -> SAM2Base:
    """Seeded; sure that objects are there, or all masks were one constant."""
    torch.manual_seed(0)
    model = build(sam_type, torch.device("cpu"), image_size, conditioning_frames=-1)
    with torch.no_grad():
        model.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(2.0)
    return model.to(device)


def package_predictor(sam_type: SamType, model: SAM2Base) -> SAM2VideoPredictor:
    """The package's own predictor, with the same weights."""
    overrides = [f"++model.image_size={model.image_size}"]
    predictor = build_sam2_video_predictor(config_name(sam_type), device=model.device, hydra_overrides_extra=overrides)
    predictor.load_state_dict(model.state_dict())
    predictor.fill_hole_area = 0  # filled by its CUDA extension only
    return predictor


def frames(count: int, size: int) -> Iterator[RGB]:
    """Squares that move over textured ground, uint8 [size, size, 3]."""
    rng = np.random.default_rng(0)
    ground = rng.integers(80, 140, (size, size, 3), np.uint8)
    side = size // 8
    for index in range(count):
        image = ground.copy()
        for row in range(4):
            x = (size // 16 + (3 + row) * index) % (size - side)
            y = row * size // 4 + size // 16
            image[y : y + side, x : x + side] = (220, 40 * row, 60)
        yield image


def box(index: int, size: int) -> Prompt:
    """The box of object `index`: one of the squares, or a part of the ground."""
    side = size // 8
    x, y = (index // 4) * size // 5 + size // 16, (index % 4) * size // 4 + size // 16
    return Prompt(box=(float(x), float(y), float(x + side), float(y + side)))


def tensor_bytes(value: Any, seen: set[int] | None = None) -> int:
    """Bytes of all tensors in nested dicts and lists, each storage once."""
    seen = set() if seen is None else seen
    if isinstance(value, torch.Tensor):
        storage = value.untyped_storage()
        known = storage.data_ptr() in seen
        seen.add(storage.data_ptr())
        return 0 if known else storage.nbytes()
    if isinstance(value, dict):
        return sum(tensor_bytes(one, seen) for one in value.values())
    if isinstance(value, list | tuple):
        return sum(tensor_bytes(one, seen) for one in value)
    return 0
