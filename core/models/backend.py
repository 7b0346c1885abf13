"""A backend: one way to play a role, with all that choosing, refusing and loading it takes.

Each backend's folder declares its own in a `backend.py`; `registry.py` lists them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Generic, TypeVar

from core.errors import MaskflowError, RefusedInput
from core.models.options import ModelOptions
from core.models.spec import ModelSpec
from core.weights.catalogue import MODELS, UNFETCHED_WEIGHTS, how_to_fetch
from core.weights.folder import WEIGHTS_FILE

T = TypeVar("T")


@dataclass(frozen=True)
class Package:
    """A package that users install themselves: the module that must be there, and how to get it."""

    module: str
    install: str

    @property
    def installed(self) -> bool:
        """Whether Python finds it."""
        try:
            return find_spec(self.module) is not None
        except ModuleNotFoundError:  # not even the package that the module is in
            return False


@dataclass(frozen=True)
class NeededWeights:
    """The weights a backend needs.

    Attributes:
        places: files, or folders of a `transformers` model; the first that is there is used.
        catalogue_name: what `maskflow weights get` calls them; None: it does not have them.
        given: the user named the path.
        instead: what else could be used, for messages.
    """

    places: tuple[Path, ...]
    catalogue_name: str | None = None
    given: bool = False
    instead: str = ""

    @property
    def found(self) -> Path | None:
        """The file; or the folder, once its largest file is there, which is fetched last."""
        return next((path for path in self.places if path.is_file() or (path / WEIGHTS_FILE).is_file()), None)

    @property
    def path(self) -> Path:
        """Where they are, or belong."""
        return self.found or self.places[0]

    def missing(self) -> str | None:
        """Why they cannot be used, and what to do about it; None where they are there."""
        if self.found is not None:
            return None
        places = " or ".join(str(path.absolute()) for path in self.places)
        if self.given or self.catalogue_name is None:
            return f"there are no weights at {places}"
        own = next((one for one in UNFETCHED_WEIGHTS if one.name == self.catalogue_name), None)
        if own is not None:
            return f"its weights are not at {places}: {how_to_fetch(own)}"
        get = f"get them with `maskflow weights get {self.catalogue_name}`{self.instead}"
        return f"its weights are not at {places}; {get}"


def weights_in_folder(name: str, given: Path | None) -> NeededWeights:
    """Weights of the catalogue that are a folder, unless the user named another."""
    return NeededWeights((given or MODELS / name,), name, given=given is not None)


@dataclass(frozen=True)
class Backend(Generic[T]):
    """One way to play a role.

    Attributes:
        name: what users call it.
        version: changes whenever results change: part of every cache key.
        load: makes the model; imports what it needs, so that choosing costs nothing.
        weights: what it needs on disk; None: nothing.
        package: what its user has to install; None: nothing.
        uses_gpu: it runs on a GPU where there is one.
        joint: what it finds for one point depends on the others in a batch: batches get support points.
        by_name_only: `auto` does not take it, since it serves few requests.
        cautions: what whoever uses it must know, with the remedy; of a detector, for a text.
        variant: settings that change its results.
        check_weights: opens the weights without reading them all; raises where they are no such thing.
        check_prompt: raises `RefusedInput` for a text it cannot serve; loads no model.
        check_text: likewise, with what lies beside the weights: how many words the model reads.
    """

    name: str
    version: str
    load: Callable[[ModelSpec], T]
    weights: Callable[[ModelOptions], NeededWeights] | None = None
    package: Package | None = None
    uses_gpu: bool = True
    joint: bool = False
    by_name_only: bool = False
    cautions: Callable[[str], Sequence[str]] = lambda _: ()
    variant: Callable[[ModelOptions], tuple[str, ...]] = lambda _: ()
    check_weights: Callable[[ModelOptions, Path], None] = lambda _, __: None
    check_prompt: Callable[[str], None] = lambda _: None
    check_text: Callable[[Path, str], None] = lambda _, __: None

    def missing(self, options: ModelOptions) -> str | None:
        """Why it cannot run here and what to do about it; None where it can."""
        if self.package is not None and not self.package.installed:
            return f"the package {self.package.module} is not installed ({self.package.install})"
        return None if self.weights is None else self.weights(options).missing()

    def given(self, options: ModelOptions) -> bool:
        """Whether the user named the weights."""
        return self.weights is not None and self.weights(options).given

    def check(self, options: ModelOptions, text: str | None = None) -> None:
        """Look at the weights. Raises `RefusedInput` where they are not this backend's, or not for this text."""
        if self.weights is None:
            return
        path = self.weights(options).path
        try:
            self.check_weights(options, path)
            if text is not None:
                self.check_text(path, text)
        except RefusedInput:
            raise
        except MaskflowError as error:
            raise RefusedInput(f"{self.name} cannot be used: {error}") from None

    def spec(self, options: ModelOptions, digest: Callable[[Path], str]) -> ModelSpec:
        """The model decided upon; `digest` gives the SHA-256 of a file's or a folder's content."""
        path = None if self.weights is None else self.weights(options).path.absolute()
        return ModelSpec(
            backend=self.name,
            version=self.version,
            variant=self.variant(options),
            path=path,
            sha256=None if path is None else digest(path),
        )
