"""Which models a run uses: what the user said, and what came of it. Light: loads no model."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from core.models.sam2.names import SamType


@dataclass(frozen=True)
class ModelOptions:
    """What the user said about models.

    Attributes:
        sam_type: which SAM 2, where the segmenter is sam2.
        sam_image_size: side in pixels of the square it sees.
        sam_compile: compile it first.
        model_path: the segmenter's weights; None: where `maskflow weights get` puts them.
        detector_path: the detector's weights, likewise.
    """

    sam_type: SamType = "sam2.1_hiera_large"
    sam_image_size: int = 1024
    sam_compile: bool = False
    model_path: Path | None = None
    detector_path: Path | None = None


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
