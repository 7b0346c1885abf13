"""Stands in for CoTracker3: the documented shapes and ranges, checked; points stay where they are requested."""

from typing import Any

import torch

MOST = 10**9
"""Points at which memory runs out."""
ASKED: list[int] = []


class _Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3))


def _check(video: torch.Tensor) -> None:
    assert video.dtype == torch.float32
    assert video.shape[0] == 1
    assert video.shape[2:] == (3, 384, 512)
    assert 1 < video.max() <= 255


class CoTrackerPredictor(torch.nn.Module):
    def __init__(self, checkpoint: None, offline: bool, window_len: int) -> None:
        super().__init__()
        assert (checkpoint, offline, window_len) == (None, True, 60)
        self.model, self.interp_shape = _Model(), (384, 512)

    def forward(self, video: torch.Tensor, queries: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        _check(video)
        ASKED.append(queries.shape[1])
        if queries.shape[1] > MOST:
            raise torch.OutOfMemoryError("as CUDA says it")
        frames = video.shape[1]
        tracks = queries[:, None, :, 1:].repeat(1, frames, 1, 1)
        return tracks, torch.ones(tracks.shape[:3], dtype=torch.bool)


class CoTrackerOnlinePredictor(torch.nn.Module):
    def __init__(self, checkpoint: None, offline: bool, window_len: int) -> None:
        super().__init__()
        assert (checkpoint, offline, window_len) == (None, False, 16)
        self.model, self.interp_shape, self.step = _Model(), (384, 512), 8

    def forward(
        self,
        video_chunk: torch.Tensor,
        is_first_step: bool = False,
        queries: torch.Tensor | None = None,
        add_support_grid: bool = False,
    ) -> Any:
        assert add_support_grid
        _check(video_chunk)
        if is_first_step:
            self.queries, self.seen = queries, 0
            return None, None
        assert video_chunk.shape[1] == 2 * self.step
        assert self.queries is not None
        self.seen += self.step if self.seen else 2 * self.step
        tracks = self.queries[:, None, :, 1:].repeat(1, self.seen, 1, 1)
        return tracks, torch.ones(tracks.shape[:3], dtype=torch.bool)
