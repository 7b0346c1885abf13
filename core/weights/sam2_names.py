"""The published SAM 2 models: what users call them, and the package's configuration of each."""

from typing import Literal, get_args

SamType = Literal[
    "sam2.1_hiera_tiny", "sam2.1_hiera_small", "sam2.1_hiera_base_plus", "sam2.1_hiera_large",
    "sam2_hiera_tiny", "sam2_hiera_small", "sam2_hiera_base_plus", "sam2_hiera_large",
]  # fmt: skip
SAM_TYPES: tuple[SamType, ...] = get_args(SamType)

_SIZES = {"tiny": "t", "small": "s", "base_plus": "b+", "large": "l"}


def config_name(sam_type: SamType) -> str:
    """Path of the model's configuration inside the `sam2` package."""
    family, size = sam_type.split("_hiera_")
    return f"configs/{family}/{family}_hiera_{_SIZES[size]}.yaml"


CONFIGS: dict[str, SamType] = {config_name(sam_type).rpartition("/")[2]: sam_type for sam_type in SAM_TYPES}
"""The model of each configuration file, by the file's name."""
