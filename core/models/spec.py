"""Which models a run uses: what the user said, and what came of it. Light: loads no model."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from core.weights.sam2_names import SamType


class GeneratorSettings(BaseModel):
    """How SAM 2 finds everything in a picture: the package's names; defaults are the batch refiner's.

    Attributes:
        points_per_side: points of the grid on each side of the image.
        points_per_batch: points in one forward pass; halved where memory runs out.
        pred_iou_thresh: masks whose predicted IoU is under this are dropped.
        stability_score_thresh: likewise for their stability.
        box_nms_thresh: of two masks whose boxes overlap more than this, the better is kept.
        crop_n_layers: repeat on 2^n x 2^n overlapping crops, for n up to this.
        min_mask_region_area: holes and islands of fewer pixels are removed from masks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    points_per_side: int = 32
    points_per_batch: int = 64
    pred_iou_thresh: float = 0.7
    stability_score_thresh: float = 0.5
    box_nms_thresh: float = 0.7
    crop_n_layers: int = 0
    min_mask_region_area: int = 100

    def as_variant(self) -> tuple[str, ...]:
        """As `name=value`, for a `ModelSpec`."""
        return tuple(f"{name}={value}" for name, value in self.model_dump().items())

    @classmethod
    def of_variant(cls, parts: Sequence[str]) -> "GeneratorSettings":
        """The settings that `as_variant` gave."""
        return cls.model_validate(dict(part.split("=", 1) for part in parts))


@dataclass(frozen=True)
class ModelOptions:
    """What the user said about models.

    Attributes:
        sam_type: which SAM 2, where the segmenter is sam2.
        sam_image_size: side in pixels of the square it sees.
        sam_compile: compile it first.
        model_path: the segmenter's weights; None: where `maskflow weights get` puts them.
        detector_path: the detector's weights, likewise.
        generator: how SAM 2 generates masks.
    """

    sam_type: SamType = "sam2.1_hiera_large"
    sam_image_size: int = 1024
    sam_compile: bool = False
    model_path: Path | None = None
    detector_path: Path | None = None
    generator: GeneratorSettings = field(default_factory=GeneratorSettings)


class ModelSpec(BaseModel):
    """One model, fully decided: what a worker loads. Everything but `path` goes into cache keys.

    Attributes:
        backend: its name in the registry.
        version: of the backend's code: changes whenever its results change.
        variant: which of the backend's models, and settings that change its results.
        path: its weights, absolute; None for a backend without.
        sha256: of the weights: of the file, or of the folder's files together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    backend: str
    version: str = "1"
    variant: tuple[str, ...] = ()
    path: Path | None = None
    sha256: str | None = None

    @property
    def key(self) -> dict[str, object]:
        """What the results depend on, JSON-able."""
        return self.model_dump(mode="json", exclude={"path"})

    @property
    def name(self) -> str:
        """One line that names model, weights and settings: what a saved session belongs to."""
        return " ".join([self.backend, self.version, *self.variant, self.sha256 or ""]).strip()
