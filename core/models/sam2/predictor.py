"""SAM 2 on frames that come one at a time: tensors in, tensors out, memory that does not grow.

Given the same weights and frames, and `batch=1`, every mask logit equals that of the package's `SAM2VideoPredictor`
to the last bit. With larger batches objects share forward passes; logits then agree within float tolerance.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor
from torch.nn import functional

from core.models.backoff import Sizes, free_unused, is_out_of_memory, until_it_fits
from core.models.sam2.attention import condition
from core.models.sam2.batch import batches, track_batch
from core.models.sam2.features import Features
from core.models.sam2.heads import (
    Decoded,
    decode,
    decode_mask,
    encode_memory,
    enlarge,
    memory_place,
    without_memory,
)
from core.models.sam2.memory import FramePosition, Memory, MemoryBank, MemoryLimits, Recall
from core.models.sam2.precision import computing
from core.models.sam2.preprocess import prepare
from core.models.sam2.prompts import mask_input, point_inputs
from core.prompts import Prompt
from core.video.frames import RGB

_EARLIER_LIMIT = 32.0  # logits fed back to the decoder are clamped to this


@dataclass(frozen=True, eq=False)
class Masks:
    """Masks of N objects in one frame.

    Attributes:
        obj_ids: whose.
        logits: at a quarter of the model's image size, float32 [N, 1, s, s]; positive is object.
        scores: presence times predicted IoU, [N], 0..1.
    """

    obj_ids: list[int]
    logits: Tensor
    scores: Tensor


@dataclass(frozen=True)
class Window:
    """What a predictor has to know about its video.

    Attributes:
        height: of the frames, pixels.
        width: of the frames, pixels.
        num_frames: length where known. It matters below 16 only, where the package scales time by it.
    """

    height: int
    width: int
    num_frames: int | None = None


class StreamingPredictor:
    """Objects in one video. `advance` goes on by one frame; `add` prompts on the present one.

    Frames are counted from 0. `seek` makes any frame the present one, to prompt ahead of time or to go the other way:

        predictor.seek(30, frames[30])
        predictor.add(1, Prompt(box=(x0, y0, x1, y1)))
        predictor.hold()                                  # to turn round here later
        forward = [predictor.advance(frame) for frame in frames[31:]]
        predictor.seek(30, frames[30], reverse=True)
        backward = [predictor.advance(frame) for frame in reversed(frames[:30])]

    Args:
        model: SAM 2, in evaluation mode.
        window: the video.
        batch: most objects in one forward pass; 1 is exact. Fewer where memory runs out, see `sizes`.
        pad: fill batches up to a power of two, for compiled modules, which want the same shapes again.
        fast: see `precision`.
    """

    def __init__(self, model: SAM2Base, window: Window, batch: int = 1, pad: bool = False, fast: bool = False) -> None:
        pointers = model.max_obj_ptrs_in_encoder if model.use_obj_ptrs_in_encoder else 0
        self.window = window
        self.frame = -1
        self.step = 1
        self.held: FramePosition | None = None
        self.objects: dict[int, MemoryBank] = {}
        self._model = model
        self.batch = batch
        self.sizes = Sizes(objects=batch)
        self._pad = pad
        self._fast = fast
        self._reach = MemoryLimits(
            masks=model.num_maskmem,
            pointers=min(pointers, window.num_frames or pointers),
            conditioning=model.max_cond_frames_in_attn,
            past_pointers_only=model.only_obj_ptrs_in_the_past_for_eval,
        )
        self._span = self._reach.pointers - 1
        self._image: RGB | None = None
        self._features: Features | None = None
        self._ahead: tuple[RGB, Features] | None = None
        self._unsettled: dict[int, dict[int, Memory]] = {}
        on_gpu = model.device.type == "cuda"
        with torch.inference_mode():
            self._place = memory_place(model, torch.bfloat16 if on_gpu else torch.float32)

    def advance(self, image: RGB) -> Masks:
        """Go to the next frame, uint8 RGB [H, W, 3]: every object's mask there."""
        with self._computing():
            self._settle()
            if self.frame + self.step < 0:
                raise ValueError("there is no frame before frame 0")
            self.frame += self.step
            self._look_at(image)
            return self._track()

    def seek(self, frame: int, image: RGB, reverse: bool = False) -> None:
        """Make `frame` the present one without tracking; `advance` then goes on from it, backward with `reverse`.

        What the model reads of frames tracked before is there as far as `advance` needed it, or `hold` kept it.
        """
        with self._computing():
            self._settle()
            self.frame, self.step = frame, -1 if reverse else 1
            self._look_at(image)

    def hold(self) -> None:
        """Keep what going the other way from the present frame will read, until the next `hold` or `release`."""
        self.held = FramePosition(self.frame, -self.step)

    def release(self) -> None:
        """Undo `hold`."""
        self.held = None

    def look_ahead(self, image: RGB) -> None:
        """Start encoding the frame that the next `advance` will be given, if it will be needed; the same array."""
        if self.objects and self.sizes.ahead:
            with self._computing():
                try:
                    self._ahead = (image, self._encode_once(image))
                    return
                except RuntimeError as error:
                    if not is_out_of_memory(error):
                        raise
                    self.sizes.shrink("ahead")
            free_unused()

    def add(self, obj_id: int, prompt: Prompt) -> Masks:
        """Start an object on the present frame, or correct a known one there; no other object is touched.

        A frame on which the object had not been tracked becomes one of its conditioning frames; so does any frame with
        a prompt that is an anchor.
        """
        if prompt.mask is not None and prompt.mask.shape != (self.window.height, self.window.width):
            raise ValueError(f"a mask of {prompt.mask.shape} in a video of {(self.window.height, self.window.width)}")
        memory = self.objects.get(obj_id) or MemoryBank()
        if prompt.anchor:
            memory.recent.pop(self.frame, None)
        tracked = self.frame in memory.recent
        kept = memory.recent if tracked else memory.conditioning
        earlier = kept.get(self.frame)
        with self._computing():
            features = self._present()
            decoded = until_it_fits(
                lambda: self._prompted(features, prompt, memory if tracked else None, earlier), self._forget_ahead
            )
        kept[self.frame] = Memory(
            decoded.pointer, logits=decoded.logits, score=decoded.score, presence=decoded.presence
        )
        self.objects[obj_id] = memory
        self._unsettled[obj_id] = kept
        return Masks([obj_id], decoded.logits, decoded.score)

    def drop(self, obj_id: int) -> None:
        """Forget an object; no other is touched."""
        self.objects.pop(obj_id, None)
        self._unsettled.pop(obj_id, None)

    def settle(self) -> None:
        """Encode the memories of the present frame's prompts, as the next `advance` would."""
        with self._computing():
            self._settle()

    def video_logits(self, logits: Tensor) -> Tensor:
        """Logits [N, 1, s, s] at the frames' own resolution, float32 [N, 1, H, W]."""
        size = (self.window.height, self.window.width)
        if logits.shape[-2:] == size:
            return logits
        with torch.inference_mode():
            return functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)

    def stored_bytes(self) -> int:
        """Bytes kept alive by all that is remembered, each storage once."""
        storages = {
            tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
            for one in self.objects.values()
            for memory in [*one.conditioning.values(), *one.recent.values()]
            for tensor in memory.tensors().values()
        }
        return sum(storages.values())

    @contextmanager
    def _computing(self) -> Iterator[None]:
        with computing(self._model.device, self._fast):
            yield

    def _look_at(self, image: RGB) -> None:
        """Make an image the present one. It is encoded when something asks for it: an empty scene costs nothing."""
        expected = (self.window.height, self.window.width, 3)
        if image.shape != expected or image.dtype != np.uint8:
            raise ValueError(f"a frame of {image.dtype} {image.shape} in a video of uint8 {expected}")
        ahead, self._ahead = self._ahead, None
        self._image = image
        self._features = ahead[1] if ahead is not None and ahead[0] is image else None

    def _present(self) -> Features:
        """The present frame, encoded once."""
        if self._features is None:
            if self._image is None:
                raise ValueError("a prompt needs a present frame: advance or seek first")
            self._features = self._encode(self._image)
        return self._features

    def _encode(self, image: RGB) -> Features:
        return until_it_fits(lambda: self._encode_once(image), self._forget_ahead)

    def _forget_ahead(self) -> bool:
        """Make room: what was encoded ahead is encoded again when its turn comes."""
        self._ahead = None
        return self.sizes.shrink("ahead")

    def _encode_once(self, image: RGB) -> Features:
        return Features.of(self._model, prepare(image, self._model.image_size, self._model.device))

    def _track(self) -> Masks:
        recalls: dict[int, Recall] = {}
        found: dict[int, Memory] = {}
        for obj_id, memory in self.objects.items():
            if self.frame in memory.conditioning:
                found[obj_id] = memory.conditioning[self.frame]
            else:
                recalls[obj_id] = memory.recall(FramePosition(self.frame, self.step), self._reach)
        while left := {obj_id: recall for obj_id, recall in recalls.items() if obj_id not in found}:
            found.update(until_it_fits(lambda left=left: self._track_some(left), self._smaller))  # type: ignore[misc]
        for obj_id, memory in self.objects.items():
            if obj_id in recalls:
                memory.recent[self.frame] = found[obj_id]
            memory.forget([FramePosition(self.frame, self.step), *([self.held] if self.held else [])], self._reach)
        return self._masks({obj_id: found[obj_id] for obj_id in self.objects})

    def _track_some(self, recalls: Mapping[int, Recall]) -> dict[int, Memory]:
        """Some of the objects: as many as go through in one pass."""
        obj_ids = next(batches(recalls, self.sizes.objects))
        rows = [recalls[obj_id] for obj_id in obj_ids]
        tracked = track_batch(self._model, self._present(), rows, self._place, self._span, self._pad)
        return dict(zip(obj_ids, tracked, strict=True))

    def _smaller(self) -> bool:
        return self.sizes.shrink("objects") or self._forget_ahead()

    def _prompted(
        self, features: Features, prompt: Prompt, memory: MemoryBank | None, earlier: Memory | None
    ) -> Decoded:
        model = self._model
        if prompt.mask is not None:
            return decode_mask(model, features, mask_input(prompt, model.image_size, model.device))
        if memory is None:
            fused = without_memory(model, features)
        else:
            recall = memory.recall(FramePosition(self.frame, self.step), self._reach)
            fused = condition(model, features, [recall], self._place, self._span)
        points = point_inputs(prompt, self.window.height, self.window.width, model.image_size, model.device)
        logits = None if earlier is None or earlier.logits is None else earlier.logits
        if logits is not None:
            logits = logits.clamp(-_EARLIER_LIMIT, _EARLIER_LIMIT)
        return decode(model, features, fused, points, logits, first=memory is None)

    def _settle(self) -> None:
        for kept in self._unsettled.values():
            memory = kept[self.frame]
            assert memory.logits is not None
            assert memory.presence is not None
            encoded = until_it_fits(lambda memory=memory: self._remembered(memory), self._forget_ahead)  # type: ignore[misc]
            kept[self.frame] = replace(memory, features=encoded)
        self._unsettled.clear()

    def _remembered(self, memory: Memory) -> Tensor:
        """What later frames read of a prompt's mask."""
        assert memory.logits is not None
        assert memory.presence is not None
        full = enlarge(self._model, memory.logits)
        return encode_memory(self._model, self._present(), full, memory.presence, by_hand=True)

    def _masks(self, found: dict[int, Memory]) -> Masks:
        logits = [memory.logits for memory in found.values() if memory.logits is not None]
        scores = [memory.score for memory in found.values() if memory.score is not None]
        if not logits:
            side = self._model.image_size // 4
            device = self._model.device
            return Masks([], torch.zeros(0, 1, side, side, device=device), torch.zeros(0, device=device))
        return Masks(list(found), torch.cat(logits), torch.cat(scores))
