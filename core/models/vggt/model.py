"""VGGT as a window reconstructor: equal windows stacked."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name

from core.errors import Unavailable
from core.models.backoff import in_batches
from core.models.device import default_device, half_precision
from core.models.roles import WindowGeometry
from core.models.vggt.square import TRACK_SIDE
from core.store.safe_load import load_pth
from core.video.frames import RGB

MODEL_SIDE = 518


class Vggt:
    """The model, on the GPU this process was given, in bf16; or on the CPU.

    Args:
        model: `vggt.models.vggt.VGGT`, with its weights.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._device = default_device()
        self._model = model.eval().to(self._device)

    @staticmethod
    def load(path: Path) -> "Vggt":
        """The package's model with the weights at `path`: tensors only. Raises `Unavailable` where they do not fit."""
        from vggt.models.vggt import VGGT

        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            weights = load_file(path)
        else:
            weights = load_pth(path)
        model = VGGT()
        try:
            model.load_state_dict(weights)
        except (RuntimeError, AttributeError, TypeError) as error:
            raise Unavailable(f"{path} does not hold VGGT's weights: {str(error)[:300]}") from None
        return Vggt(model)

    def predict(self, windows: Sequence[Sequence[RGB]], most: int) -> list[WindowGeometry]:
        """See `WindowReconstructor.predict`: `[B, S, 3, 518, 518]` in one pass, `B` halved where memory runs out."""
        return list(in_batches(windows, most, self._predict))

    @torch.inference_mode()
    def _predict(self, windows: Sequence[Sequence[RGB]]) -> list[WindowGeometry]:
        from vggt.utils.pose_enc import pose_encoding_to_extri_intri

        stacked = torch.stack([self._tensor(window) for window in windows])
        batch, frames = stacked.shape[:2]
        small = F.interpolate(stacked.flatten(0, 1), size=(MODEL_SIDE, MODEL_SIDE), mode="bilinear")
        with half_precision(self._device):
            found = self._model(small.view(batch, frames, *small.shape[1:]))
        poses, intrinsics = pose_encoding_to_extri_intri(found["pose_enc"].float(), (MODEL_SIDE, MODEL_SIDE))
        return [
            WindowGeometry(
                _numpy(poses[n]),
                _numpy(intrinsics[n]),
                _numpy(found["depth"][n, ..., 0]),
                _numpy(found["depth_conf"][n]),
            )
            for n in range(batch)
        ]

    def _tensor(self, window: Sequence[RGB]) -> torch.Tensor:
        images = torch.from_numpy(np.stack(window)).to(self._device)
        if images.shape[1:] != (TRACK_SIDE, TRACK_SIDE, 3):
            raise ValueError(f"squares of {TRACK_SIDE} pixels, not {tuple(images.shape[1:])}")
        return images.permute(0, 3, 1, 2).float() / 255


def _numpy(tensor: torch.Tensor) -> "np.typing.NDArray[np.float32]":
    return cast("np.typing.NDArray[np.float32]", tensor.float().cpu().numpy())
