"""SAM 2 on single images: masks of everything, and masks from prompts."""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sam2.automatic_mask_generator import SAM2AutomaticMaskGenerator
from sam2.modeling.sam2_base import SAM2Base
from sam2.sam2_image_predictor import SAM2ImagePredictor
from sam2.utils.amg import remove_small_regions
from torch.nn import functional

from core.masks.region import Region
from core.models.backoff import in_batches, note_smaller, until_it_fits
from core.models.options import GeneratorSettings
from core.models.roles import GeneratedMask
from core.models.sam2.precision import computing
from core.prompts import Prompt, TrackedMask
from core.video.frames import RGB

_PROMPTS_AT_ONCE = 64
_MASK_PROMPT_LOGIT = 10.0  # how sure a mask given as a prompt is, inside and outside


class Sam2MaskGenerator:
    """Implements `MaskGenerator` on the package's `SAM2AutomaticMaskGenerator`."""

    def __init__(self, model: SAM2Base, settings: GeneratorSettings | None = None, fast: bool = False) -> None:
        self._model = model
        self._fast = fast
        chosen = settings or GeneratorSettings()
        # The package would need its CUDA extension for this: see `_generated`.
        self._least_area = chosen.min_mask_region_area
        with _without_deprecations():
            self._generator = SAM2AutomaticMaskGenerator(model, **chosen.model_dump(exclude={"min_mask_region_area"}))
        _fit(self._generator.predictor, model)

    def generate(self, image: RGB) -> list[GeneratedMask]:
        """See `MaskGenerator.generate`. Raises `torch.OutOfMemoryError` where even one point at a time is too much."""
        return until_it_fits(lambda: self._generate(image), self._fewer_points)

    def _generate(self, image: RGB) -> list[GeneratedMask]:
        try:
            with computing(self._model.device, self._fast):
                found: list[dict[str, Any]] = self._generator.generate(image)
        except IndexError:  # with crops, the package trips over a picture in which it finds nothing
            if self._generator.crop_n_layers == 0:
                raise
            return []
        return [_generated(one, self._least_area) for one in found]

    def _fewer_points(self) -> bool:
        points = self._generator.points_per_batch
        if points == 1:
            return False
        self._generator.points_per_batch = (points + 1) // 2
        note_smaller("points", self._generator.points_per_batch, points)
        return True


class Sam2PromptedSegmenter:
    """Implements `PromptedSegmenter` on the package's `SAM2ImagePredictor`. Scores are predicted IoU.

    Args:
        model: SAM 2.
        at_once: most prompts in one forward pass; halved where memory runs out.
        fast: see `precision`.
    """

    def __init__(self, model: SAM2Base, at_once: int = _PROMPTS_AT_ONCE, fast: bool = False) -> None:
        self._model = model
        self._fast = fast
        with _without_deprecations():
            self._predictor = SAM2ImagePredictor(model)
        self._at_once = at_once
        _fit(self._predictor, model)

    def segment(self, image: RGB, prompts: Sequence[Prompt]) -> list[TrackedMask]:
        """See `PromptedSegmenter.segment`. A mask given with a prompt is refined, not taken as it is."""
        results: dict[int, TrackedMask] = {}
        alike: dict[tuple[bool, int, bool], list[int]] = {}
        for index, prompt in enumerate(prompts):
            kind = (prompt.box is not None, len(prompt.points), prompt.mask is not None)
            alike.setdefault(kind, []).append(index)
        with computing(self._model.device, self._fast):
            self._predictor.set_image(image)
            for indices in alike.values():
                chosen = [prompts[index] for index in indices]
                # The package batches masks along with points or boxes only.
                most = self._at_once if chosen[0].box is not None or chosen[0].points else 1
                results.update(zip(indices, in_batches(chosen, most, self._predict), strict=True))
            self._predictor.reset_predictor()
        return [results[index] for index in range(len(prompts))]

    def _predict(self, prompts: Sequence[Prompt]) -> list[TrackedMask]:
        first = prompts[0]
        inputs: dict[str, Any] = {}
        if first.box is not None:
            inputs["box"] = np.array([prompt.box for prompt in prompts], np.float32)
        if first.points:
            points = np.array([prompt.points for prompt in prompts], np.float32)
            inputs |= {"point_coords": points[..., :2], "point_labels": points[..., 2].astype(np.int32)}
        if first.mask is not None:
            inputs["mask_input"] = np.stack([self._low_resolution(prompt) for prompt in prompts])
        # A lone point may mean a part or the whole: the model proposes three masks, and the best is taken.
        ambiguous = first.box is None and len(first.points) == 1 and first.mask is None
        masks, ious, _ = self._predictor.predict(**inputs, multimask_output=ambiguous)
        masks, ious = masks.reshape(len(prompts), -1, *masks.shape[-2:]), ious.reshape(len(prompts), -1)
        best = ious.argmax(axis=1)
        return [TrackedMask(masks[row, one] > 0, float(ious[row, one])) for row, one in enumerate(best)]

    def _low_resolution(self, prompt: Prompt) -> Any:
        side = self._model.image_size // 4
        mask = torch.from_numpy(prompt.mask)[None, None].float()
        small = functional.interpolate(mask, (side, side), mode="bilinear", align_corners=False, antialias=True)
        return ((2 * small[0] - 1) * _MASK_PROMPT_LOGIT).numpy()


def _generated(record: dict[str, Any], least_area: int) -> GeneratedMask:
    x, y = record["point_coords"][0]
    region = Region.of(np.asarray(record["segmentation"], np.bool_))
    if least_area and region.area:
        # With so wide a frame around it, the background is in one piece and too large for a hole.
        frame = math.ceil(least_area**0.5)
        mask, _ = remove_small_regions(np.pad(region.mask, frame), least_area, "holes")
        mask, _ = remove_small_regions(mask, least_area, "islands")
        region = Region(region.x, region.y, np.asarray(mask[frame:-frame, frame:-frame], np.bool_))
    return GeneratedMask(
        region,
        float(record["predicted_iou"]),
        float(record["stability_score"]),
        (float(x), float(y)),
    )


def _fit(predictor: SAM2ImagePredictor, model: SAM2Base) -> None:
    """The package's image predictor knows the feature maps of 1024-pixel models only."""
    predictor._bb_feat_sizes = [(model.image_size // stride,) * 2 for stride in (4, 8, 16)]


@contextmanager
def _without_deprecations() -> Iterator[None]:
    """The package scripts its transforms, which recent versions of torch warn about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
