"""Several objects of one frame through SAM 3's tracker in one pass; the library itself takes them one by one."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from core.models.library_session import Tracked

_ABSENT = -1024.0  # the logit of a mask whose object is not there, as in the library


def track_together(tracker: Any, sessions: Sequence[Any], frame: int, features: Mapping[str, Any]) -> list[Tracked]:
    """Track objects without new prompts to a frame, and let each session remember it.

    Args:
        tracker: the library's `Sam3TrackerVideoModel`.
        sessions: one for each of B objects, all with memories of the same frames.
        frame: its number.
        features: as the library caches them.
    """
    levels, positions = features["vision_feats"], features["vision_pos_embeds"]
    batch = len(sessions)
    fused = _condition(tracker, _stacked(sessions), frame, levels[-1], positions[-1], batch)
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


def _stacked(sessions: Sequence[Any]) -> Any:
    """One session of the library whose single object is all of them, side by side."""

    def together(kind: str, frame: int, name: str) -> Tensor:
        side = 0 if name in ("object_pointer", "object_score_logits") else 1
        return torch.cat([one.output_dict_per_obj[0][kind][frame][name] for one in sessions], dim=side)

    outputs = {
        kind: {frame: {name: together(kind, frame, name) for name in memory} for frame, memory in memories.items()}
        for kind, memories in sessions[0].output_dict_per_obj[0].items()
    }
    return SimpleNamespace(output_dict_per_obj={0: outputs}, dtype=sessions[0].dtype)


def _condition(tracker: Any, session: Any, frame: int, coarse: Tensor, position: Tensor, batch: int) -> Tensor:
    """The frame's coarse features fused with what the objects remember, [B, C, h, w]."""
    memory, places = tracker._build_memory_attention_inputs(
        tracker._gather_memory_frame_outputs(session, 0, frame, False), coarse.device
    )
    away, pointers, most = tracker._get_object_pointers(session, 0, frame, frame + 1, coarse.device, False, True)
    tokens, times = tracker._process_object_pointers(away, pointers, most, batch, tracker.hidden_dim, coarse.device)
    if tokens is not None:
        memory, places = [*memory, tokens], [*places, times]
    fused = tracker.memory_attention(
        current_vision_features=coarse.expand(-1, batch, -1),
        current_vision_position_embeddings=position.expand(-1, batch, -1),
        memory=torch.cat(memory, dim=0).to(session.dtype),
        memory_posision_embeddings=torch.cat(places, dim=0),  # the library's spelling
        num_object_pointer_tokens=0 if tokens is None else tokens.shape[0],
    )
    height, width = tracker.backbone_feature_sizes[-1]
    conditioned: Tensor = fused.squeeze(0).transpose(1, 2).reshape(batch, tracker.hidden_dim, height, width)
    return conditioned


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
    return logits, shown * (shown * pointer) + (1 - shown) * tracker.no_object_pointer, presence
