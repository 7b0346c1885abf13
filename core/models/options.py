"""What a user says about models: the fields of a section of Prefect's form, and the flags of the command line."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.store.paths import UserPath
from core.weights.sam2_names import SamType

BOX_THRESHOLD, TEXT_THRESHOLD = "box_threshold", "text_threshold"
USUAL_SAM_IMAGE_SIZE = 1024
SamImageSize = Annotated[int, Field(ge=64, le=2048, multiple_of=32)]
SAM_IMAGE_SIZE: Any = Field(
    None,
    description="Side of the square that SAM 2 sees, in steps of 32; 1024, or what its weights say, when left out. "
    "512 is far faster than 1024, and less exact.",
)
SamPrecision = Literal["exact", "fast"]
SAM_PRECISION: Any = Field(
    "exact",
    description="How SAM 2 computes on the CPU: fast is about 1.7 times faster in bfloat16, with slightly other masks. "
    "It changes nothing on a GPU.",
)


class GeneratorSettings(BaseModel):
    """How SAM 2 finds everything in a picture; names and meaning are the package's."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    points_per_side: int = Field(32, ge=1, le=256, description="SAM 2 is prompted at a grid of so many points a side.")
    points_per_batch: int = Field(
        64, ge=1, le=4096, description="Points in one forward pass; halved by itself where memory runs out."
    )
    pred_iou_thresh: float = Field(0.7, ge=0, le=1, description="Drop SAM 2's masks whose predicted IoU is under this.")
    stability_score_thresh: float = Field(
        0.5, ge=0, le=1, description="Drop SAM 2's masks whose stability is under this."
    )
    box_nms_thresh: float = Field(
        0.7, gt=0, le=1, description="Of two SAM 2 masks whose boxes overlap more than this, keep the better."
    )
    crop_n_layers: int = Field(
        0, ge=0, le=4, description="Prompt SAM 2 again on 2^n x 2^n overlapping crops, for n up to this."
    )
    min_mask_region_area: int = Field(
        100, ge=0, description="Remove holes and islands of fewer pixels from SAM 2's masks."
    )

    def as_variant(self) -> tuple[str, ...]:
        """As `name=value`, for a `ModelSpec`."""
        return tuple(f"{name}={value}" for name, value in self.model_dump().items())

    @classmethod
    def of_variant(cls, parts: Sequence[str]) -> "GeneratorSettings":
        """The settings that `as_variant` gave."""
        return cls.model_validate(dict(part.split("=", 1) for part in parts))


class ModelOptions(BaseModel):
    """Which weights a run uses, and how its models run."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    sam_type: SamType = Field("sam2.1_hiera_large", description="Which SAM 2, where the segmenter is sam2.")
    sam_image_size: SamImageSize | None = SAM_IMAGE_SIZE
    sam_precision: SamPrecision = SAM_PRECISION
    sam_compile: bool = Field(
        False, description="Compile SAM 2 first: minutes at the start, faster frames after; for GPUs and long runs."
    )
    model_path: UserPath | None = Field(
        None,
        description="The segmenter's weights; models/sam2/checkpoints/SAM_TYPE.pt, models/sam3 or models/edgetam "
        "when left out.",
    )
    detector_path: UserPath | None = Field(
        None,
        description="The detector's weights; models/NAME when left out, of grounding-dino models/grounding-dino-base "
        "or -tiny.",
    )

    box_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Detections that score less start no object (built in: of people); each detector has its own, "
        "detections from a file 0.3.",
    )
    text_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Detections that score less for every phrase are dropped (grounding-dino, mm-grounding-dino).",
    )


def thresholds(options: ModelOptions, *names: str) -> tuple[str, ...]:
    """The thresholds of these names that were given, as `name=value`, for a `ModelSpec`."""
    given = ((name, getattr(options, name)) for name in names)
    return tuple(f"{name}={value:g}" for name, value in given if value is not None)


class GeneratorOptions(ModelOptions):
    """Those of a mask generator: also how it generates."""

    generator: GeneratorSettings = GeneratorSettings()
