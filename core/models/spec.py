"""One model, fully decided: what a worker loads."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict


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

    @property
    def weights(self) -> Path:
        """`path` of a backend that has weights."""
        assert self.path is not None, f"{self.backend} has weights"
        return self.path

    def number(self, name: str, default: float) -> float:
        """The value of a setting in `variant`, which has it as `name=value`."""
        given = dict(part.split("=", 1) for part in self.variant if "=" in part)
        return float(given.get(name, default))
