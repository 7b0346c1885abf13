"""`pose_encoding_to_extri_intri` with the documented interface; see the README."""

import torch


def pose_encoding_to_extri_intri(
    pose_encoding: torch.Tensor, image_size_hw: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """cam_from_world [B, S, 3, 4] and intrinsics [B, S, 3, 3]; here without rotations."""
    height, width = image_size_hw
    batch, frames = pose_encoding.shape[:2]
    extrinsics = torch.eye(3, 4).expand(batch, frames, 3, 4).clone()
    extrinsics[..., 3] = pose_encoding[..., :3]
    intrinsics = torch.eye(3).expand(batch, frames, 3, 3).clone()
    intrinsics[..., 0, 0] = width / 2 / torch.tan(pose_encoding[..., 8] / 2)
    intrinsics[..., 1, 1] = height / 2 / torch.tan(pose_encoding[..., 7] / 2)
    intrinsics[..., 0, 2], intrinsics[..., 1, 2] = width / 2, height / 2
    return extrinsics, intrinsics
