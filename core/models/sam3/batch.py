"""Several objects of one frame through SAM 3's tracker in one pass; the library itself takes them one by one."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from sam2.modeling.sam2_utils import get_1d_sine_pe
from torch import Tensor
from torch.nn import functional

from core.models.library_session import Tracked

_ABSENT = -1024.0  # the logit of a mask whose object is not there, as in the library


class Sam3Together:
    """Implements `Together` for the library's `Sam3TrackerVideoModel`."""

    def __init__(self, tracker: Any) -> None:
        self._tracker = tracker

    def shape(self, session: Any, frame: int) -> Hashable:
        """How far back its mask memories are, and how many pointers it has; see `Together`."""
        away = tuple(offset for offset, _ in _masks(self._tracker, session, frame))
        return away, len(_pointers(self._tracker, session, frame)[0])

    def track(self, sessions: Sequence[Any], frame: int, features: Mapping[str, Any]) -> list[Tracked]:
        """See `Together`."""
        tracker, batch = self._tracker, len(sessions)
        levels, positions = features["vision_feats"], features["vision_pos_embeds"]
        fused = _condition(tracker, sessions, frame, levels[-1], positions[-1])
        fine = [
            level.permute(1, 2, 0).view(1, -1, *size).expand(batch, -1, -1, -1)
            for level, size in zip(levels[:-1], tracker.backbone_feature_sizes[:-1], strict=True)
        ]
        logits, pointers, presence = _decode(tracker, fused, fine)
        full = functional.interpolate(logits.float(), (tracker.image_size,) * 2, mode="bilinear", align_corners=False)
        memories, places = tracker._encode_new_memory(
            current_vision_feats=levels[-1].expand(-1, batch, -1),
            pred_masks_high_res=full.to(logits.dtype),
            object_score_logits=presence,
            is_mask_from_pts=False,
        )
        for row, session in enumerate(sessions):
            # Copies, so that an object's memory does not keep the whole batch alive.
            session.output_dict_per_obj[0]["non_cond_frame_outputs"][frame] = {
                "object_pointer": pointers[row : row + 1].clone(),
                "object_score_logits": presence[row : row + 1].clone(),
                "maskmem_features": memories[:, row : row + 1].clone(),
                "maskmem_pos_enc": places[:, row : row + 1].clone(),
            }
            session.frames_tracked_per_obj[0][frame] = {"reverse": False}
        return [(logits[row : row + 1], presence[row : row + 1]) for row in range(batch)]


def _masks(tracker: Any, session: Any, frame: int) -> list[tuple[int, Any]]:
    """How many frames back (0: prompted) and what was remembered, in the order in which the model reads it."""
    gathered = tracker._gather_memory_frame_outputs(session, 0, frame, False)
    return [(offset, memory) for offset, memory in gathered if memory is not None]


def _pointers(tracker: Any, session: Any, frame: int) -> tuple[list[int], list[Tensor]]:
    """How many frames back, and the object pointers [1, 1, C]."""
    away, pointers, _ = tracker._get_object_pointers(session, 0, frame, frame + 1, tracker.device, False, True)
    return away, pointers


def _condition(tracker: Any, sessions: Sequence[Any], frame: int, coarse: Tensor, position: Tensor) -> Tensor:
    """The frame's coarse features fused with what the objects remember, [B, C, h, w]."""
    batch = len(sessions)
    remembered = [_masks(tracker, session, frame) for session in sessions]
    memory, places = [], []
    for slot in zip(*remembered, strict=True):
        memory.append(torch.cat([one["maskmem_features"] for _, one in slot], dim=1))
        spatial = torch.cat([one["maskmem_pos_enc"] for _, one in slot], dim=1)
        places.append(spatial + tracker.memory_temporal_positional_encoding[slot[0][0] - 1])
    tokens, times = _pointer_tokens(tracker, sessions, frame)
    fused = tracker.memory_attention(
        current_vision_features=coarse.expand(-1, batch, -1),
        current_vision_position_embeddings=position.expand(-1, batch, -1),
        memory=torch.cat([*memory, *tokens], dim=0).to(sessions[0].dtype),
        memory_posision_embeddings=torch.cat([*places, *times], dim=0),  # the library's spelling
        num_object_pointer_tokens=sum(len(one) for one in tokens),
    )
    height, width = tracker.backbone_feature_sizes[-1]
    conditioned: Tensor = fused.squeeze(0).transpose(1, 2).reshape(batch, tracker.hidden_dim, height, width)
    return conditioned


def _pointer_tokens(tracker: Any, sessions: Sequence[Any], frame: int) -> tuple[list[Tensor], list[Tensor]]:
    """Object pointers, each cut into C / C_mem tokens: [pointers * C / C_mem, B, C_mem], and when they are from."""
    away, pointers = zip(*(_pointers(tracker, session, frame) for session in sessions), strict=True)
    if not pointers[0]:
        return [], []
    count, batch, width = len(pointers[0]), len(sessions), tracker.mem_dim
    stacked = torch.stack([torch.cat([one.flatten(0, -2) for one in slot]) for slot in zip(*pointers, strict=True)])
    parts = stacked.shape[-1] // width
    tokens = stacked.reshape(count, batch, parts, width).permute(0, 2, 1, 3).flatten(0, 1)
    frames = torch.tensor(away, dtype=torch.float32).T.flatten().to(stacked.device, non_blocking=True)
    farthest = tracker.config.max_object_pointers_in_encoder - 1
    times = get_1d_sine_pe(frames / farthest, dim=stacked.shape[-1]).to(stacked.dtype)
    times = tracker.temporal_positional_encoding_projection_layer(times).view(count, batch, width)
    return [tokens], [times.repeat_interleave(parts, dim=0)]


def _decode(tracker: Any, fused: Tensor, fine: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Mask logits [B, 1, h, w], object pointers [B, 1, C] and presence logits [B, 1, 1], without prompts."""
    batch = len(fused)
    sparse, dense = tracker.prompt_encoder(
        input_points=fused.new_zeros(batch, 1, 1, 2),
        input_labels=-torch.ones(batch, 1, 1, dtype=torch.int32, device=fused.device),
        input_boxes=None,
        input_masks=None,
    )
    masks, ious, tokens, presence = tracker.mask_decoder(
        image_embeddings=fused,
        image_positional_embeddings=tracker.get_image_wide_positional_embeddings().repeat(batch, 1, 1, 1),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=tracker._use_multimask(False, None),
        high_resolution_features=fine,
    )
    rows, best = torch.arange(batch, device=fused.device), ious[:, 0].argmax(dim=-1)
    there = presence > 0
    logits = torch.where(there[..., None], masks[rows, 0, best][:, None], _ABSENT)
    token = tokens[rows, 0, best if tokens.size(2) > 1 else torch.zeros_like(best)][:, None]
    pointer = tracker.object_pointer_proj(token)
    shown = there.to(pointer.dtype)
    return logits, shown * pointer + (1 - shown) * tracker.no_object_pointer, presence
