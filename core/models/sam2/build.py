"""SAM 2 by name: the package's modules in its own configuration."""

import torch
from sam2.build_sam import build_sam2
from sam2.modeling.sam2_base import SAM2Base

from core.models.options import USUAL_SAM_IMAGE_SIZE
from core.weights.sam2_names import SamType, config_name

CONDITIONING_FRAMES = 4


def build(
    sam_type: SamType,
    device: torch.device,
    image_size: int | None = None,
    conditioning_frames: int = CONDITIONING_FRAMES,
) -> SAM2Base:
    """The model with random weights, in evaluation mode; `load_weights` fills them in.

    Set up as the package sets up its video predictor, but for filling holes, which needs its CUDA extension.

    Args:
        sam_type: which.
        device: where it runs.
        image_size: side of the square it sees, a multiple of 32; None: 1024, which it was trained with.
        conditioning_frames: most prompted frames of an object read at once, the closest; -1: all, as the package.
    """
    overrides = [
        f"++model.image_size={image_size or USUAL_SAM_IMAGE_SIZE}",
        f"++model.max_cond_frames_in_attn={conditioning_frames}",
        "++model.binarize_mask_from_pts_for_mem_enc=true",
    ]
    return build_sam2(config_name(sam_type), device=device, hydra_overrides_extra=overrides)


def compile_modules(model: SAM2Base, backend: str = "inductor") -> None:
    """Compile the model's large modules in position, as the package does for its fastest predictor.

    Shapes are fixed but for the length of the memory, so that nothing is compiled again in mid-video; objects come
    in batches of 1, 2, 4, 8 or 16 (`StreamingPredictor(pad=True)`). The first frames take minutes.
    """
    for module, dynamic in (
        (model.image_encoder, False),
        (model.memory_encoder, False),
        (model.memory_attention, True),
        (model.sam_mask_decoder, None),  # prompts differ in their number of points
    ):
        module.forward = torch.compile(module.forward, backend=backend, dynamic=dynamic)
