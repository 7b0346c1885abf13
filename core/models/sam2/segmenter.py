"""SAM 2 as a `VideoSegmenter`: images in, masks of the same size out."""

from collections.abc import Callable
from pathlib import Path

import torch
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from core.models.backoff import Sizes, until_it_fits
from core.models.sam2.predictor import Masks, StreamingPredictor, Window
from core.models.sam2.state import restore_predictor, save_predictor
from core.prompts import Prompt, TrackedMask
from core.video.frames import RGB

_BATCH_ON_GPU = 16


class Sam2Segmenter:
    """Implements `VideoSegmenter`.

    Args:
        model: with its weights, in evaluation mode.
        name: names model, weights and settings: a saved session goes on with the same only.
        batch: most objects in one forward pass. On a GPU 16; on the CPU one by one, which is as fast there and equal
            to the package to the last bit.
        compiled: the model's modules are compiled: batches are padded.
        fast: see `precision`.
    """

    def __init__(
        self, model: SAM2Base, name: str, batch: int | None = None, compiled: bool = False, fast: bool = False
    ) -> None:
        self._model = model
        self._name = name
        self._batch = batch or (_BATCH_ON_GPU if model.device.type == "cuda" else 1)
        self._compiled = compiled
        self._fast = fast
        # Masks are enlarged a few at once: 4K masks of many objects would fill a GPU.
        self.sizes = Sizes(objects=self._batch, masks=4)

    def start(self) -> "Sam2Session":
        """A session for one video."""
        return Sam2Session(self._model, self._name, self._predictor)

    def restore(self, path: Path) -> "Sam2Session":
        """See `VideoSegmenter.restore`."""
        session = self.start()
        session.predictor = restore_predictor(self._model, path, self._name, pad=self._compiled, fast=self._fast)
        session.predictor.sizes = self.sizes
        return session

    def _predictor(self, window: Window) -> StreamingPredictor:
        predictor = StreamingPredictor(self._model, window, self._batch, pad=self._compiled, fast=self._fast)
        predictor.sizes = self.sizes
        return predictor


class Sam2Session:
    """Implements `SegmenterSession`. A prompt for a known object corrects it; its memory is kept."""

    patience_s = 5.0  # the prompted frames are remembered for ever, but each object costs time on each frame

    def __init__(self, model: SAM2Base, name: str, begin: Callable[[Window], StreamingPredictor]) -> None:
        self._model = model
        self._name = name
        self._begin = begin
        self.predictor: StreamingPredictor | None = None

    def advance(self, image: RGB, upcoming: RGB | None = None) -> dict[int, TrackedMask]:
        """See `SegmenterSession.advance`."""
        if self.predictor is None:
            self.predictor = self._begin(Window(*image.shape[:2]))
        return self._fetch(self.predictor, self.predictor.advance(image), upcoming)

    def add(self, obj_id: int, prompt: Prompt) -> TrackedMask:
        """See `SegmenterSession.add`."""
        if self.predictor is None:
            raise ValueError("a prompt needs a present frame: advance first")
        tracked = self._fetch(self.predictor, self.predictor.add(obj_id, prompt), None)[obj_id]
        return tracked if prompt.mask is None else TrackedMask(prompt.mask, tracked.score)

    def cut(self) -> None:
        """See `SegmenterSession.cut`: what it remembers of objects finds them in any shot."""

    def drop(self, obj_id: int) -> None:
        """See `SegmenterSession.drop`."""
        if self.predictor is not None:
            self.predictor.drop(obj_id)

    def save(self, path: Path) -> None:
        """See `SegmenterSession.save`."""
        if self.predictor is None:
            raise ValueError("there is nothing to save before the first frame")
        save_predictor(self.predictor, path, self._name)

    def _fetch(self, predictor: StreamingPredictor, masks: Masks, upcoming: RGB | None) -> dict[int, TrackedMask]:
        """Masks at the video's size, on the host. On a GPU the next frame is encoded while the host goes on."""
        parts: list[Tensor] = []
        start = 0
        while start < len(masks.obj_ids):

            def enlarge(start: int = start) -> Tensor:
                full = predictor.video_logits(masks.logits[start : start + predictor.sizes.masks])
                return (full[:, 0] > 0).to("cpu", non_blocking=True)

            parts.append(until_it_fits(enlarge, lambda: predictor.sizes.shrink("masks", "ahead")))
            start += len(parts[-1])
        scores = masks.scores.to("cpu", non_blocking=True)
        if self._model.device.type == "cuda":
            copied = torch.cuda.current_stream().record_event()
            if upcoming is not None:
                predictor.look_ahead(upcoming)
            copied.synchronize()
        flat = [mask for part in parts for mask in part.numpy()]
        return {
            obj_id: TrackedMask(mask, float(score))
            for obj_id, mask, score in zip(masks.obj_ids, flat, scores.tolist(), strict=True)
        }
