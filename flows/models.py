"""Which models a run uses: chosen by the names its user gave, and told."""

from pathlib import Path
from typing import Any

from core.models.registry import DETECTORS, SEGMENTERS, Backend, choose
from core.models.roles import Detector, VideoSegmenter
from core.models.spec import ModelOptions
from core.weights.sam2_names import SamType


def model_options(
    sam_type: SamType, sam_image_size: int, sam_compile: bool, model_path: Path | None, detector_path: Path | None
) -> ModelOptions:
    """What the user said about models, home folders expanded."""
    model, detector = (None if path is None else path.expanduser() for path in (model_path, detector_path))
    return ModelOptions(sam_type, sam_image_size, sam_compile, model, detector)


def choose_models(
    text: str | None, detector: str, segmenter: str, models: ModelOptions
) -> tuple[Backend[Detector] | None, Backend[VideoSegmenter]]:
    """The detector, where there is a text for it, and the segmenter. Raises `RefusedInput` where they cannot serve."""
    finder = None
    if text is not None:
        finder = choose("detector", detector, DETECTORS, models)
        finder.check_prompt(text)
    follower = choose("segmenter", segmenter, SEGMENTERS, models)
    follower.check(models)  # last, since it may load a library
    if finder is not None:
        finder.check(models, text)
    return finder, follower


def model_notes(
    models: ModelOptions, detector: tuple[str, Backend[Detector] | None], segmenter: tuple[str, Backend[VideoSegmenter]]
) -> list[str]:
    """Which models are used, and where `auto` took a lesser one, what the best would need.

    Args:
        models: what the user said about models.
        detector: the name asked for and what came of it; None: not needed.
        segmenter: likewise.
    """
    notes = role_notes("Detector", models, *detector, DETECTORS[0], models.detector_path)
    return notes + role_notes("Segmenter", models, *segmenter, SEGMENTERS[0], models.model_path)


def role_notes(
    role: str, models: ModelOptions, asked: str, backend: Backend[Any] | None, best: Backend[Any], path: Path | None
) -> list[str]:
    """What plays a role: `asked` is the name given, `backend` what came of it, `path` the weights given."""
    if backend is None:
        return []
    settings = " ".join(backend.variant(models))
    notes = [f"{role}: {backend.name}{' (auto)' if asked == 'auto' else ''} {settings}".rstrip()]
    if asked == "auto" and backend.name != best.name:
        notes.append(f"{best.name} is not used: {best.missing(models)}")
    elif path is not None and backend.weights is None:
        notes.append(f"{path} is not used: {backend.name} needs no weights")
    return notes
