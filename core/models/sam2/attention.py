"""Conditioning a frame on what objects remember: one pass for all objects whose memories have the same shape."""

from collections.abc import Sequence

import torch
from sam2.modeling.sam2_base import SAM2Base
from sam2.modeling.sam2_utils import get_1d_sine_pe
from torch import Tensor

from core.models.sam2.features import Features
from core.models.sam2.memory import Recall


def condition(model: SAM2Base, frame: Features, recalls: Sequence[Recall], position: Tensor, span: int) -> Tensor:
    """Fuse one frame's features with the memories of several objects.

    Args:
        model: SAM 2.
        frame: the frame's features.
        recalls: what each of the B objects remembers; all of the same shape.
        position: the memories' spatial encoding, [1, C_mem, h, w].
        span: the farthest an object pointer can be away, in frames: what its temporal encoding is scaled by.

    Returns:
        [B, C, h, w].
    """
    batch = len(recalls)
    tokens, positions = _mask_tokens(model, recalls, position)
    pointers, pointer_places = _pointer_tokens(model, recalls, span)
    memory = torch.cat([*tokens, *pointers], dim=0)
    if not torch.is_autocast_enabled(memory.device.type):
        memory = memory.float()  # without a pointer among them they are all bfloat16
    fused: Tensor = model.memory_attention(
        curr=[frame.levels[-1].expand(-1, batch, -1)],
        curr_pos=[frame.positions[-1].expand(-1, batch, -1)],
        memory=memory,
        memory_pos=torch.cat([*positions, *pointer_places], dim=0),
        num_obj_ptr_tokens=sum(len(one) for one in pointers),
    )
    return fused.permute(1, 2, 0).view((batch, -1, *frame.sizes[-1]))


def _mask_tokens(model: SAM2Base, recalls: Sequence[Recall], position: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """For each remembered frame: tokens [hw, B, C_mem] and where and when they are from, of the same shape."""
    tokens, positions = [], []
    spatial = position.flatten(2).permute(2, 0, 1)
    for slot, (t_pos, _) in enumerate(recalls[0].masks):
        features = torch.cat([_present(recall.masks[slot][1].features) for recall in recalls])
        tokens.append(features.flatten(2).permute(2, 0, 1))
        positions.append((spatial + model.maskmem_tpos_enc[model.num_maskmem - t_pos - 1]).expand(-1, len(recalls), -1))
    return tokens, positions


def _pointer_tokens(model: SAM2Base, recalls: Sequence[Recall], span: int) -> tuple[list[Tensor], list[Tensor]]:
    """Object pointers, each cut into C / C_mem tokens: [pointers * C / C_mem, B, C_mem], and when they are from."""
    if not recalls[0].pointers:
        return [], []
    count, batch = len(recalls[0].pointers), len(recalls)
    width = model.mem_dim
    stacked = torch.stack(
        [torch.cat([recall.pointers[slot][1].pointer for recall in recalls]) for slot in range(count)]
    )
    parts = stacked.shape[-1] // width
    tokens = stacked.reshape(count, batch, parts, width).permute(0, 2, 1, 3).flatten(0, 1)
    if not model.add_tpos_enc_to_obj_ptrs:
        return [tokens], [tokens.new_zeros(tokens.shape)]
    frames = [recall.pointers[slot][0] for slot in range(count) for recall in recalls]
    away = torch.tensor(frames).to(stacked.device, non_blocking=True)  # the host need not wait for the GPU
    if not model.use_signed_tpos_enc_to_obj_ptrs:
        away = away.abs()
    times = get_1d_sine_pe(away / span, dim=stacked.shape[-1])
    times = model.obj_ptr_tpos_proj(times).view(count, batch, width)
    return [tokens], [times.repeat_interleave(parts, dim=0)]


def _present(features: Tensor | None) -> Tensor:
    assert features is not None  # `recall` sees to it
    return features
