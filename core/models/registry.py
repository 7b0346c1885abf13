"""Backends by name: which there are, which of them can run here, and `auto`, which picks.

A new backend adds one entry; nothing else has to know it. Models are loaded once per process.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Generic, TypeVar

from core.errors import MaskflowError, RefusedInput, Unavailable
from core.models import loaders
from core.models.phrases import check_phrases
from core.models.roles import Detector, MaskGenerator, VideoSegmenter
from core.models.spec import ModelOptions, ModelSpec
from core.store.digests import host_digest
from core.weights.catalogue import MODELS, find_weights
from core.weights.folder import WEIGHTS_FILE
from core.weights.sam2_names import SAM_TYPES

T = TypeVar("T")


@dataclass(frozen=True)
class Needed:
    """Weights a backend needs.

    Attributes:
        path: where they are looked for.
        get: what `maskflow weights get` calls them.
        given: the user named a path of their own.
        instead: what else could be used, for messages.
    """

    path: Path
    get: str
    given: bool = False
    instead: str = ""

    @property
    def there(self) -> bool:
        """The file exists; or the folder, as far as its weights, which are fetched last."""
        return self.path.is_file() or (self.path / WEIGHTS_FILE).is_file()


@dataclass(frozen=True)
class Backend(Generic[T]):
    """One way to play a role.

    Attributes:
        name: what users call it.
        version: changes whenever results change: part of every cache key.
        load: makes the model; imports what it needs, so that choosing costs nothing.
        weights: what it needs on disk; None: nothing.
        variant: settings that change its results.
        check_weights: opens the weights without reading them all; raises where they are no such thing.
        check_prompt: raises `RefusedInput` for a text it cannot serve; loads no model.
        check_text: likewise, with what lies beside the weights: how many words the model reads.
    """

    name: str
    version: str
    load: Callable[[ModelSpec], T]
    weights: Callable[[ModelOptions], Needed] | None = None
    variant: Callable[[ModelOptions], tuple[str, ...]] = lambda _: ()
    check_weights: Callable[[ModelOptions, Path], None] = lambda _, __: None
    check_prompt: Callable[[str], None] = lambda _: None
    check_text: Callable[[Path, str], None] = lambda _, __: None

    def missing(self, options: ModelOptions) -> str | None:
        """Why it cannot run here and what to do about it; None where it can."""
        needed = None if self.weights is None else self.weights(options)
        if needed is None or needed.there:
            return None
        if needed.given:
            return f"there are no weights at {needed.path.absolute()}"
        get = f"get them with `maskflow weights get {needed.get}`"
        return f"its weights are not at {needed.path.absolute()}; {get}{needed.instead}"

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


def _sam2_weights(options: ModelOptions) -> Needed:
    usual = find_weights(options.sam_type).place()
    path = options.model_path or usual
    there = next((one for one in SAM_TYPES if find_weights(one).place().is_file()), None)
    instead = "" if there is None else f", or choose {there}, which is on disk"
    return Needed(path, options.sam_type, given=path != usual, instead=instead)


def _in_folder(name: str, given: Path | None) -> Needed:
    return Needed(given or MODELS / name, name, given=given is not None)


def _sam3_segmenter_weights(options: ModelOptions) -> Needed:
    return _in_folder("sam3", options.model_path)


def _sam3_detector_weights(options: ModelOptions) -> Needed:
    return _in_folder("sam3", options.detector_path)


def _grounding_dino_weights(options: ModelOptions) -> Needed:
    """The larger model where it is there, unless a folder is given."""
    base, tiny = _in_folder("grounding-dino-base", None), _in_folder("grounding-dino-tiny", options.detector_path)
    return base if base.there and not tiny.given else tiny


def _sam2_variant(options: ModelOptions) -> tuple[str, ...]:
    return options.sam_type, f"{options.sam_image_size}px", *(["compiled"] if options.sam_compile else [])


def _generator_variant(options: ModelOptions) -> tuple[str, ...]:
    return options.sam_type, f"{options.sam_image_size}px", *options.generator.as_variant()


DETECTORS: Sequence[Backend[Detector]] = (
    Backend(
        "grounding-dino",
        "1",
        loaders.grounding_dino,
        _grounding_dino_weights,
        check_weights=loaders.check_grounding_dino,
        check_prompt=check_phrases,
        check_text=loaders.check_grounding_dino_text,
    ),
    Backend(
        "sam3",
        "1",
        loaders.sam3_detector,
        _sam3_detector_weights,
        check_weights=loaders.check_sam3,
        check_prompt=check_phrases,
        check_text=loaders.check_sam3_text,
    ),
    Backend("classical", "1", loaders.classical_detector, check_prompt=loaders.check_classical_prompt),
)
SEGMENTERS: Sequence[Backend[VideoSegmenter]] = (
    Backend("sam2", "1", loaders.sam2, _sam2_weights, _sam2_variant, loaders.check_sam2),
    Backend("sam3", "1", loaders.sam3_segmenter, _sam3_segmenter_weights, check_weights=loaders.check_sam3),
    Backend("classical", "2", loaders.classical_segmenter),
)
GENERATORS: Sequence[Backend[MaskGenerator]] = (
    Backend("sam2", "1", loaders.sam2_generator, _sam2_weights, _generator_variant, loaders.check_sam2),
    Backend("classical", "1", loaders.classical_generator),
)


def choose(parameter: str, name: str, backends: Sequence[Backend[T]], options: ModelOptions) -> Backend[T]:
    """The backend called `name`, or for `auto` the first that can run here.

    Raises:
        RefusedInput: no backend has this name, or it cannot run here; the message tells what to do.
    """
    for backend in backends:
        reason = backend.missing(options)
        if name == backend.name and reason is not None:
            raise RefusedInput(f"{parameter} = {name!r} cannot be used: {reason}")
        if reason is None and name in ("auto", backend.name):
            return backend
        if name == "auto" and backend is backends[0] and backend.weights is not None and backend.weights(options).given:
            raise RefusedInput(f"{parameter}: {backend.name} cannot be used: {reason}")
    raise RefusedInput.of(parameter, name, "use " + ", ".join(["auto", *(b.name for b in backends)]))


@lru_cache(maxsize=1)
def load_detector(spec: ModelSpec) -> Detector:
    """The detector of this spec, loaded once per process. Raises `Unavailable` where its weights have changed."""
    return _load(spec, DETECTORS)


@lru_cache(maxsize=1)
def load_segmenter(spec: ModelSpec) -> VideoSegmenter:
    """The segmenter of this spec, loaded once per process. Raises `Unavailable` where its weights have changed."""
    return _load(spec, SEGMENTERS)


@lru_cache(maxsize=1)
def load_generator(spec: ModelSpec) -> MaskGenerator:
    """The mask generator of this spec, loaded once per process. Raises `Unavailable` where its weights have changed."""
    return _load(spec, GENERATORS)


def _load(spec: ModelSpec, backends: Sequence[Backend[T]]) -> T:
    model = next(backend for backend in backends if backend.name == spec.backend).load(spec)
    check_unchanged(spec)
    return model


def check_unchanged(spec: ModelSpec) -> None:
    """Raises `Unavailable` where a model's weights are no more those that were decided upon."""
    # What was decided upon goes into keys and manifests: anything else must not be loaded under its name.
    if spec.path is not None and host_digest(spec.path) != spec.sha256:
        raise Unavailable(f"{spec.path} has changed since the run began: run again")
