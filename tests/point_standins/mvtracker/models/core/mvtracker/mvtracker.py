"""Stands in for MVTracker's network."""

from typing import Any

import torch


class MVTracker(torch.nn.Module):
    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.S = settings["sliding_window_len"]
        self.weight = torch.nn.Parameter(torch.zeros(3))
