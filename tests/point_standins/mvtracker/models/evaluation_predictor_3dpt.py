"""Stands in for MVTracker's predictor: the documented shapes, ranges and traps; points stay where they are."""

from typing import Any

import torch


class EvaluationPredictor(torch.nn.Module):
    def __init__(self, multiview_model: Any, **settings: Any) -> None:
        super().__init__()
        assert settings["interp_shape"] is None
        self.model = multiview_model

    def forward(
        self,
        rgbs: torch.Tensor,
        depths: torch.Tensor,
        query_points_3d: torch.Tensor,
        intrs: torch.Tensor,
        extrs: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        one, views, frames = rgbs.shape[:3]
        assert one == 1
        assert rgbs.shape[3:] == (3, 384, 512)
        assert 1 < rgbs.max() <= 255  # not divided by 255, which the network does itself
        assert depths.shape == (1, views, frames, 1, 384, 512)
        assert intrs.shape == (1, views, frames, 3, 3)
        assert extrs.shape == (1, views, frames, 3, 4)
        count = query_points_3d.shape[1]
        xyz = query_points_3d[:, None, :, 1:].repeat(1, frames, 1, 1) + 0.001
        before = torch.arange(frames)[:, None] < query_points_3d[0, :, 0]
        xyz[0][before] = 0.0
        if frames <= int(self.model.S) // 2:
            xyz = torch.zeros_like(xyz)
        return {"traj_e": xyz, "vis_e": torch.ones((1, frames, count), dtype=torch.bool)}
