"""The model's decoder and memory encoder, for any number of objects in one frame."""

from dataclasses import dataclass

import torch
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor
from torch.nn import functional

from core.models.sam2.features import Features


@dataclass(frozen=True, eq=False)
class Decoded:
    """Masks of B objects in one frame.

    Attributes:
        logits: mask logits at a quarter of the model's image size, float32 [B, 1, s, s].
        full: the same at the model's image size, [B, 1, S, S].
        pointer: object pointers, [B, C].
        presence: logit that the object is in the frame, [B, 1].
        score: presence times predicted IoU, [B], 0..1.
    """

    logits: Tensor
    full: Tensor
    pointer: Tensor
    presence: Tensor
    score: Tensor

    @classmethod
    def of(cls, outputs: tuple[Tensor, ...]) -> "Decoded":
        """From what the model's heads return."""
        _, _, ious, logits, full, pointer, presence = outputs
        # Of several candidates the model takes the one of the highest predicted IoU.
        return cls(logits, full, pointer, presence, presence[:, 0].float().sigmoid() * ious.float().amax(dim=1))


def decode(
    model: SAM2Base,
    frame: Features,
    fused: Tensor,
    points: dict[str, Tensor] | None = None,
    earlier: Tensor | None = None,
    first: bool = False,
) -> Decoded:
    """Masks from memory-conditioned features.

    Args:
        model: SAM 2.
        frame: the frame's features.
        fused: conditioned features, [B, C, h, w].
        points: prompt, for one object.
        earlier: logits of the mask the points correct, [1, 1, s, s].
        first: the object has no memories yet.
    """
    outputs = model._forward_sam_heads(
        backbone_features=fused,
        point_inputs=points,
        mask_inputs=earlier,
        high_res_features=frame.maps(len(fused))[:-1] or None,
        multimask_output=model._use_multimask(first, points),
    )
    return Decoded.of(outputs)


def decode_mask(model: SAM2Base, frame: Features, mask: Tensor) -> Decoded:
    """A mask prompt as the object's mask, as it is; float32 [1, 1, S, S] of zeros and ones."""
    maps = frame.maps(1)
    return Decoded.of(model._use_mask_as_output(maps[-1], maps[:-1] or None, mask))


def without_memory(model: SAM2Base, frame: Features) -> Tensor:
    """The frame's features for an object's first frame, [1, C, h, w]."""
    fused: Tensor = model._prepare_memory_conditioned_features(
        frame_idx=0,
        is_init_cond_frame=True,
        current_vision_feats=frame.levels[-1:],
        current_vision_pos_embeds=frame.positions[-1:],
        feat_sizes=frame.sizes[-1:],
        output_dict={},
        num_frames=1,
    )
    return fused


def encode_memory(model: SAM2Base, frame: Features, full: Tensor, presence: Tensor, by_hand: bool) -> Tensor:
    """What later frames read of this one: bfloat16 [B, C_mem, h, w]; `by_hand` for masks from prompts."""
    features, _ = model._encode_new_memory(
        current_vision_feats=frame.repeated(len(full)),
        feat_sizes=frame.sizes,
        pred_masks_high_res=full,
        object_score_logits=presence,
        is_mask_from_pts=by_hand,
    )
    compact: Tensor = features.to(torch.bfloat16)
    return compact


def enlarge(model: SAM2Base, logits: Tensor) -> Tensor:
    """Logits to the model's image size, [B, 1, S, S]."""
    return functional.interpolate(
        logits, size=(model.image_size, model.image_size), mode="bilinear", align_corners=False
    )


def memory_place(model: SAM2Base, dtype: torch.dtype) -> Tensor:
    """The memories' spatial encoding, the same for all: [1, C_mem, h, w]."""
    side = model.image_size // model.backbone_stride
    blank = torch.zeros(1, model.mem_dim, side, side, device=model.device)
    position: Tensor = model.memory_encoder.position_encoding(blank)
    return position.to(dtype)
