"""Groups of `refine_masks`'s parameters."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from core.models.options import SAM_IMAGE_SIZE, SAM_PRECISION, GeneratorSettings, SamImageSize, SamPrecision
from core.models.registry import GENERATORS
from core.refining.refine import MatchingName
from core.store.paths import UserPath
from flows.options import BackendOf, Options

USUAL_CONFIG = "sam2_hiera_l.yaml"
USUAL_CHECKPOINT = Path("model_zoo/sam/sam2_hiera_large.pt")
"""The documented default; where it is missing, the weights that `maskflow weights get` brings are looked for."""


class Generator(Options):
    """What finds the masks."""

    generator: Annotated[str, BackendOf(GENERATORS)] = Field(
        "auto", description="What finds the masks; auto takes sam2 where its weights are on disk."
    )
    model_cfg: str = Field(
        USUAL_CONFIG,
        description="Which SAM 2, by the package's configuration file; where left out, any that is on disk.",
    )
    checkpoint: UserPath = Field(
        USUAL_CHECKPOINT, description="Its weights; where left out and not there, models/sam2/checkpoints/."
    )
    sam_image_size: SamImageSize | None = SAM_IMAGE_SIZE
    sam_precision: SamPrecision = SAM_PRECISION


class MaskGeneration(GeneratorSettings, Generator):
    """What finds the masks, and how."""

    @property
    def settings(self) -> GeneratorSettings:
        """Those of SAM 2."""
        return GeneratorSettings.model_validate(self.model_dump(include=set(GeneratorSettings.model_fields)))


class Matching(Options):
    """How masks find their ids, and what they may change."""

    matching: MatchingName = Field(
        "optimal",
        description="How masks find their ids; documented keeps the greedy stages of the old tool, to compare.",
    )
    iou_threshold: float = Field(0.3, gt=0, le=1, description="Least IoU of masks with an id that counts as a match.")
    max_spread: int = Field(10, ge=0, le=200, description="Pixels that an id may grow beyond its own.")
    min_evidence: float = Field(
        3.0,
        ge=-5,
        le=5,
        description="How clearly colours must speak for a change (nats a pixel, -5 to 5); -5 trusts every mask.",
    )
    background_ids: list[int] | None = Field(None, description="Ids that are no objects, instead of all from 0 down.")
