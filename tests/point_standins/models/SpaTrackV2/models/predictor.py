"""Stands in for SpatialTrackerV2: the documented arguments and results; points stay at their pixels and depth."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch


class Predictor(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.spatrack = SimpleNamespace(track_num=0)

    @classmethod
    def from_pretrained(cls, folder: str, local_files_only: bool) -> "Predictor":
        assert local_files_only
        return cls()

    def forward(self, video: torch.Tensor, **given: Any) -> tuple[Any, ...]:
        frames, _, height, width = video.shape
        assert 1 < video.max() <= 255
        assert given["full_point"]
        assert given["depth"].shape == (frames, height, width)
        assert given["extrs"].shape == (frames, 4, 4)
        queries = given["queries"]
        assert isinstance(queries, np.ndarray)
        x, y = queries[:, 1], queries[:, 2]
        lens, depth = given["intrs"].numpy(), given["depth"].numpy()
        z = depth[:, np.rint(y).astype(int), np.rint(x).astype(int)]
        seen = [(x - lens[:, :1, 2]) / lens[:, :1, 0] * z, (y - lens[:, 1:2, 2]) / lens[:, 1:2, 1] * z, z]
        colour = np.zeros((*z.shape, 3))
        track3d = torch.from_numpy(np.concatenate([np.stack(seen, -1), colour], -1)).float()
        visible = torch.ones((frames, len(queries), 1))
        return given["extrs"], given["intrs"], None, None, track3d, None, visible, visible, video
