"""`VGGT` with the documented interface; see the README."""

import torch


class VGGT(torch.nn.Module):
    """One weight: how far the camera moves from frame to frame. A frame's number is read from its brightness."""

    def __init__(self, img_size: int = 518, patch_size: int = 14, embed_dim: int = 1024) -> None:
        super().__init__()
        self.step = torch.nn.Parameter(torch.tensor(0.1))

    def forward(self, images: torch.Tensor, query_points: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        if images.dim() == 4:
            images = images[None]
        batch, frames, channels, height, width = images.shape
        assert channels == 3
        assert height % 14 == 0
        assert width % 14 == 0
        assert 0 <= float(images.min()) <= float(images.max()) <= 1
        number = (images[:, :, :, height // 2, width // 2].mean(-1) * 255).round()  # [B, S]
        scale = 1 + 0.1 * number[:, :1]  # each window has its own
        pose = torch.zeros(batch, frames, 9)
        pose[..., 0] = -(number - number[:, :1]) * self.step * scale
        pose[..., 6] = 1  # quaternion, scalar last
        pose[..., 7:] = 1.0  # field of view in radians
        columns = torch.arange(width) / width
        shift = (number * self.step)[..., None]
        depth = scale[..., None] * (3 + 0.3 * torch.sin(6 * (columns + 0.2 * shift)))
        depth = depth[:, :, None, :].expand(batch, frames, height, width)
        confidence = 1 + 9 * torch.rand(batch, frames, height, width, generator=torch.Generator().manual_seed(0))
        return {"pose_enc": pose, "depth": depth[..., None], "depth_conf": confidence, "images": images}
