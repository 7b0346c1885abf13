"""Video models of the `transformers` library as `VideoSegmenter`: their classes, and sessions that forget.

Each object has a session of the library of its own, so that objects come and go alone; all share one encoding of
each frame. What later frames do not read is removed after each, so memory grows neither with the video nor with the
objects that were dropped.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from core.errors import UnsafeFile
from core.models.backoff import Sizes, until_it_fits
from core.models.device import half_precision
from core.models.session_file import SessionInfo, read_session, write_session
from core.prompts import Prompt, TrackedMask
from core.video.frames import RGB

_KEPT = ("maskmem_features", "maskmem_pos_enc", "object_pointer", "object_score_logits")
_KINDS = ("cond_frame_outputs", "non_cond_frame_outputs")
# What a prompt changes in a session of the library.
_PROMPTED = (
    "output_dict_per_obj", "frames_tracked_per_obj", "point_inputs_per_obj", "mask_inputs_per_obj",
    "obj_with_new_inputs",
)  # fmt: skip
Tracked = tuple[Tensor, Tensor]
"""One object on a frame: mask logits [1, 1, h, w], and the logit that it is there."""


class _Object(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    obj_id: int
    cond_frame_outputs: list[int] = Field(min_length=1)
    non_cond_frame_outputs: list[int]


class _Info(SessionInfo):
    """Everything but the tensors. Lists keep the order in which the model reads."""

    frame: int
    objects: list[_Object]


class Together(Protocol):
    """Several objects without new prompts in one pass."""

    def shape(self, session: Any, frame: int) -> Hashable:
        """Objects whose sessions have the same shape at a frame can share a pass."""
        ...

    def track(self, sessions: Sequence[Any], frame: int, features: Mapping[str, Any]) -> list[Tracked]:
        """Track them to the frame, and let each session remember it; `features` as the library caches them."""
        ...


@dataclass(frozen=True)
class LibraryModel:
    """A video model of the library, in evaluation mode.

    Attributes:
        model: tracks objects in its own sessions.
        processor: prepares prompts, and makes masks of what the model says.
        name: names model, weights and settings: a saved session goes on with the same only.
        prepare: a frame [H, W, 3] as the model wants it, [1, 3, S, S].
        encode: a frame's features as the library caches them; None: the model encodes frames itself.
        together: how objects share a pass; None: they go one by one.
        batch: most objects in one pass.
    """

    model: Any
    processor: Any
    name: str
    prepare: Callable[[RGB], Tensor]
    encode: Callable[[RGB], Mapping[str, Any]] | None = None
    together: Together | None = None
    batch: int = 1


class LibrarySegmenter:
    """Implements `VideoSegmenter`."""

    def __init__(self, model: LibraryModel) -> None:
        self._model = model
        self.sizes = Sizes(objects=model.batch)

    def start(self) -> "LibrarySession":
        """A session for one video."""
        return LibrarySession(self._model, self.sizes)

    def restore(self, path: Path) -> "LibrarySession":
        """See `VideoSegmenter.restore`."""
        info, tensors = read_session(path, _Info, self._model.name, "pt")
        session = self.start()
        session.frame = info.frame
        for one in info.objects:
            restored = session.objects[one.obj_id] = session.new_object()
            for kind in _KINDS:  # in the order in which the model reads them
                restored.output_dict_per_obj[0][kind] = {
                    frame: self._memory(path, tensors, f"{one.obj_id}/{kind}/{frame}") for frame in getattr(one, kind)
                }
        return session

    def _memory(self, path: Path, tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
        found = {name: tensors[f"{prefix}/{name}"] for name in _KEPT if f"{prefix}/{name}" in tensors}
        if "object_pointer" not in found:
            raise UnsafeFile(f"{path}: not a saved session that can be read ({prefix}/object_pointer is missing)")
        return {name: tensor.to(self._model.model.device) for name, tensor in found.items()}


class LibrarySession:
    """Implements `SegmenterSession`. A prompt for a known object corrects it; its memory is kept."""

    patience_s = 5.0  # the prompted frames are remembered for ever, but each object costs time on each frame

    def __init__(self, model: LibraryModel, sizes: Sizes) -> None:
        self._model = model
        self._sizes = sizes
        self._image: RGB | None = None
        self._pixels: Tensor | None = None
        self._features = self._fresh().cache
        self.frame = -1
        self.objects: dict[int, Any] = {}

    def advance(self, image: RGB, upcoming: RGB | None = None) -> dict[int, TrackedMask]:  # noqa: ARG002 - no use for it
        """See `SegmenterSession.advance`."""
        self.frame += 1
        self._image, self._pixels = image, None
        self._features.clear_all()
        found: dict[int, TrackedMask] = {}
        together = self._model.together
        shapes = {
            obj_id: obj_id if together is None else together.shape(one, self.frame)
            for obj_id, one in self.objects.items()
        }
        while left := [obj_id for obj_id in self.objects if obj_id not in found]:
            alike = [obj_id for obj_id in left if shapes[obj_id] == shapes[left[0]]]
            tracked = until_it_fits(
                lambda alike=alike: self._run(alike[: self._sizes.objects]),  # type: ignore[misc] # bound now
                lambda: self._sizes.shrink("objects"),
            )
            found.update(zip(alike, tracked, strict=False))  # as many as went through
        return {obj_id: found[obj_id] for obj_id in self.objects}

    def add(self, obj_id: int, prompt: Prompt) -> TrackedMask:
        """See `SegmenterSession.add`."""
        if self._image is None:
            raise ValueError("a prompt needs a present frame: advance first")
        known = obj_id in self.objects
        one = self.objects.get(obj_id) or self.new_object()
        before = {name: _copied(getattr(one, name)) for name in _PROMPTED}
        self.objects[obj_id] = one
        try:
            # Each try begins anew: the library takes a prompt for used as soon as it begins to compute.
            tracked = until_it_fits(lambda: self._run_prompted(obj_id, prompt, before), lambda: False)
        except BaseException:
            _put_back(one, before)
            if not known:
                del self.objects[obj_id]
            raise
        return tracked if prompt.mask is None else TrackedMask(prompt.mask, tracked.score)

    def cut(self) -> None:
        """See `SegmenterSession.cut`: what it remembers of objects finds them in any shot."""

    def drop(self, obj_id: int) -> None:
        """See `SegmenterSession.drop`."""
        self.objects.pop(obj_id, None)

    def save(self, path: Path) -> None:
        """See `SegmenterSession.save`."""
        tensors = {
            f"{obj_id}/{kind}/{frame}/{name}": value.clone(memory_format=torch.contiguous_format)
            for obj_id, one in self.objects.items()
            for kind, memories in one.output_dict_per_obj[0].items()
            for frame, memory in memories.items()
            for name, value in memory.items()
        }
        objects = [
            _Object(obj_id=obj_id, **{kind: list(one.output_dict_per_obj[0][kind]) for kind in _KINDS})
            for obj_id, one in self.objects.items()
        ]
        write_session(path, _Info(model=self._model.name, frame=self.frame, objects=objects), tensors, "pt")

    def new_object(self) -> Any:
        """An empty session of the library for one object."""
        one = self._fresh()
        one.cache = self._features
        one.obj_id_to_idx(0)
        return one

    def stored_bytes(self) -> int:
        """Bytes of all tensors remembered."""
        return sum(
            tensor.nbytes
            for one in self.objects.values()
            for memories in one.output_dict_per_obj[0].values()
            for memory in memories.values()
            for tensor in memory.values()
        )

    def _fresh(self) -> Any:
        return self._model.processor.init_video_session(inference_device=self._model.model.device)

    def _run_prompted(self, obj_id: int, prompt: Prompt, before: Mapping[str, Any]) -> TrackedMask:
        """Prompt an object whose session was as `before`."""
        assert self._image is not None
        one = self.objects[obj_id]
        _put_back(one, before)
        if prompt.anchor:  # the library takes frames that were tracked for corrections
            one.output_dict_per_obj[0]["non_cond_frame_outputs"].pop(self.frame, None)
            one.frames_tracked_per_obj[0].pop(self.frame, None)
        inputs: dict[str, Any] = {}
        if prompt.mask is not None:
            inputs["input_masks"] = [torch.from_numpy(prompt.mask)]
        else:
            if prompt.box is not None:
                inputs["input_boxes"] = [[list(prompt.box)]]
            if prompt.points:
                inputs["input_points"] = [[[[x, y] for x, y, _ in prompt.points]]]
                inputs["input_labels"] = [[[int(positive) for _, _, positive in prompt.points]]]
        size = self._image.shape[:2]
        self._model.processor.add_inputs_to_inference_session(one, self.frame, 0, original_size=size, **inputs)
        return self._run([obj_id])[0]

    def _run(self, obj_ids: Sequence[int]) -> list[TrackedMask]:
        """Objects on the present frame: one, or several without new prompts."""
        sessions = [self.objects[obj_id] for obj_id in obj_ids]
        with torch.inference_mode(), half_precision(self._model.model.device):
            features = self._encoded()
            if len(sessions) > 1 and self._model.together is not None and features is not None:
                tracked = self._model.together.track(sessions, self.frame, features)
            else:
                output = self._model.model(inference_session=sessions[0], frame=self._pixels, frame_idx=self.frame)
                tracked = [(output.pred_masks, output.object_score_logits)]
            masks = [self._mask(*one) for one in tracked]
        for one in sessions:
            self._forget(one)
        return masks

    def _encoded(self) -> Mapping[str, Any] | None:
        """Prepare the present frame, once for all objects; encode it where the model does not."""
        assert self._image is not None
        if self._pixels is None:
            self._pixels = self._model.prepare(self._image)
        if self._model.encode is None:
            return None
        if self._features.get_vision_features(self.frame) is None:
            self._features.cache_vision_features(self.frame, self._model.encode(self._image))
        features: Mapping[str, Any] = self._features.get_vision_features(self.frame)
        return features

    def _mask(self, logits: Tensor, presence: Tensor) -> TrackedMask:
        assert self._image is not None
        size = (self._image.shape[0], self._image.shape[1])
        masks = self._model.processor.post_process_masks([logits], [size], binarize=True)[0]
        return TrackedMask(masks.reshape(size).cpu().numpy(), float(presence.flatten()[0].float().sigmoid()))

    def _forget(self, one: Any) -> None:
        """Keep what later frames read: 6 masks, 15 pointers and the latest prompted frames."""
        config = self._model.model.config
        memories = one.output_dict_per_obj[0]
        for memory in [*memories["cond_frame_outputs"].values(), *memories["non_cond_frame_outputs"].values()]:
            for name in [name for name in memory if name not in _KEPT]:
                del memory[name]
        recent = memories["non_cond_frame_outputs"]
        for frame in list(recent):
            if self.frame - frame >= config.max_object_pointers_in_encoder:
                del recent[frame]
            elif self.frame - frame >= config.num_maskmem:
                recent[frame].pop("maskmem_features", None)
                recent[frame].pop("maskmem_pos_enc", None)
        self._forget_prompts(memories["cond_frame_outputs"])
        if one.processed_frames is not None:
            one.processed_frames.clear()
        for by_frame in (one.point_inputs_per_obj[0], one.mask_inputs_per_obj[0], one.frames_tracked_per_obj[0]):
            for frame in [frame for frame in by_frame if frame != self.frame]:
                del by_frame[frame]

    def _forget_prompts(self, prompted: dict[int, Any]) -> None:
        """Of many prompted frames the masks of the latest are read, and the pointers of all."""
        config = self._model.model.config
        for frame in sorted(prompted)[: -config.max_cond_frame_num] if config.max_cond_frame_num > 0 else ():
            if self.frame - frame >= config.max_object_pointers_in_encoder:
                prompted[frame] = {"object_pointer": prompted[frame]["object_pointer"]}


def _copied(value: Any) -> Any:
    """Dictionaries and lists anew, at all depths, of the same tensors."""
    if isinstance(value, dict):
        return {key: _copied(one) for key, one in value.items()}
    return list(value) if isinstance(value, list) else value


def _put_back(one: Any, before: Mapping[str, Any]) -> None:
    for name, value in before.items():
        setattr(one, name, _copied(value))
