"""The image encoder's view of one frame, computed once for all objects in it."""

from dataclasses import dataclass

from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Features:
    """Feature maps of one frame, fine to coarse.

    Attributes:
        levels: [HW, 1, C] each.
        positions: their positional encodings, of the same shapes.
        sizes: (H, W) of each.
    """

    levels: list[Tensor]
    positions: list[Tensor]
    sizes: list[tuple[int, int]]

    @classmethod
    def of(cls, model: SAM2Base, pixels: Tensor) -> "Features":
        """Encode a prepared frame, float32 [1, 3, S, S]."""
        _, levels, positions, sizes = model._prepare_backbone_features(model.forward_image(pixels))
        return cls(levels, positions, sizes)

    def maps(self, batch: int) -> list[Tensor]:
        """The feature maps as images for `batch` objects: views [batch, C, H, W]."""
        return [
            level.permute(1, 2, 0).view(1, -1, *size).expand(batch, -1, -1, -1)
            for level, size in zip(self.levels, self.sizes, strict=True)
        ]

    def repeated(self, batch: int) -> list[Tensor]:
        """The feature maps as sequences for `batch` objects: views [HW, batch, C]."""
        return [level.expand(-1, batch, -1) for level in self.levels]
