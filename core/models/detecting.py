"""What the detectors of the `transformers` library share: how they are declared, checked, and run frame by frame."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.models.backend import Backend, NeededWeights, weights_in_folder
from core.models.family import Family
from core.models.options import BOX_THRESHOLD, ModelOptions, thresholds
from core.models.phrases import check_phrases
from core.models.roles import Detector
from core.models.spec import ModelSpec
from core.prompts import Detection, Trust
from core.video.frames import RGB


def detector_backend(
    family: Family,
    version: str,
    load: Callable[[ModelSpec], Detector],
    check_text: Callable[[Path, str], None],
    weights: Callable[[ModelOptions], NeededWeights] | None = None,
    settings: Sequence[str] = (BOX_THRESHOLD,),
    by_name_only: bool = False,
) -> Backend[Detector]:
    """A detector as a backend; for the other parameters see `Backend`.

    Args:
        family: which.
        version: see `Backend`.
        load: see `Backend`.
        check_text: see `Backend`.
        weights: where it is not the catalogue's entry of the family's name.
        settings: the options that change its results.
        by_name_only: see `Backend`.
    """

    def check_weights(_: ModelOptions, path: Path) -> None:
        """See `check_folder`; also that the installed library knows the model."""
        from core.models.pretrained import from_transformers
        from core.weights.folder import check_folder

        check_folder(path, family.name, family.model_type)
        from_transformers(family.model, family.name)

    return Backend(
        family.name,
        version,
        load,
        weights=weights or (lambda options: weights_in_folder(family.name, options.detector_path)),
        variant=lambda options: thresholds(options, *settings),
        check_weights=check_weights,
        check_prompt=check_phrases,
        by_name_only=by_name_only,
        check_text=check_text,
    )


@dataclass(frozen=True)
class FrameByFrame:
    """Implements `DetectorSession`: each frame is looked at by itself.

    Attributes:
        find: what is in a frame [H, W, 3].
        threshold: detections that score less start no object.
    """

    find: Callable[[RGB], list[Detection]]
    threshold: float

    def trust_of(self, label: str | None) -> Trust:  # noqa: ARG002 - of all alike
        """See `DetectorSession.trust_of`."""
        return Trust(min_score=self.threshold)

    def detect(self, image: RGB) -> list[Detection]:
        """See `DetectorSession.detect`."""
        from core.models.backoff import until_it_fits

        return until_it_fits(lambda: self.find(image), lambda: False)


def in_texts(wanted: Sequence[str], fits: Callable[[Sequence[str]], bool]) -> Iterator[list[str]]:
    """Phrases in as few groups as fit into the model together, in order; one that does not fit is alone."""
    group: list[str] = []
    for phrase in wanted:
        if group and not fits([*group, phrase]):
            yield group
            group = []
        group.append(phrase)
    yield group
