"""SAM 3's tracker as a `VideoSegmenter`: the same memory as SAM 2's, on the transformers classes.

Each object has a session of the library of its own, so that objects come and go alone; all share one encoding of
each frame. What later frames do not read is removed after each, so memory does not grow with the video.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.errors import UnsafeFile
from core.models.backoff import until_it_fits
from core.models.device import half_precision
from core.models.pretrained import load_model, load_processor
from core.models.sam3.detector import MODEL_TYPE, WHAT
from core.models.session_file import SessionInfo, read_session, write_session
from core.prompts import Prompt, TrackedMask
from core.video.frames import RGB

_KEPT = ("maskmem_features", "maskmem_pos_enc", "object_pointer", "object_score_logits")


class _Info(SessionInfo):
    frame: int
    objects: list[int]


def load_sam3_segmenter(folder: Path, device: torch.device, name: str) -> "Sam3Segmenter":
    """The segmenter from a folder as `maskflow weights get sam3` makes it. Raises as `load_model`."""
    model = load_model("Sam3TrackerVideoModel", WHAT, MODEL_TYPE, folder, device)
    return Sam3Segmenter(model, load_processor("Sam3TrackerVideoProcessor", WHAT, folder), name)


class Sam3Segmenter:
    """Implements `VideoSegmenter`.

    Args:
        model: `Sam3TrackerVideoModel`, in evaluation mode.
        processor: its `Sam3TrackerVideoProcessor`.
        name: names weights and settings: a saved session goes on with the same only.
    """

    def __init__(self, model: Any, processor: Any, name: str) -> None:
        self._model = model
        self._processor = processor
        self._name = name

    def start(self) -> "Sam3Session":
        """A session for one video."""
        return Sam3Session(self._model, self._processor, self._name)

    def restore(self, path: Path) -> "Sam3Session":
        """See `VideoSegmenter.restore`."""
        info, tensors = read_session(path, _Info, self._name, "pt")
        session = self.start()
        session.frame = info.frame
        for obj_id in info.objects:
            session.objects[obj_id] = session.new_object()
        try:
            for key, tensor in tensors.items():
                owner, kind, frame, name = key.split("/")
                memory = session.objects[int(owner)].output_dict_per_obj[0][kind]
                memory.setdefault(int(frame), {})[name] = tensor.to(self._model.device)
        except (KeyError, ValueError):
            raise UnsafeFile(f"{path}: not a saved session that can be read (a tensor is called {key!r})") from None
        return session


class Sam3Session:
    """Implements `SegmenterSession`. A prompt for a known object corrects it; its memory is kept."""

    patience_s = 5.0  # the prompted frames are remembered for ever, but each object costs time on each frame

    def __init__(self, model: Any, processor: Any, name: str) -> None:
        self._model = model
        self._processor = processor
        self._name = name
        self._pixels: Tensor | None = None
        self._size = (0, 0)
        self._features = self._fresh().cache
        self.frame = -1
        self.objects: dict[int, Any] = {}

    def advance(self, image: RGB, upcoming: RGB | None = None) -> dict[int, TrackedMask]:  # noqa: ARG002 - no use for it
        """See `SegmenterSession.advance`."""
        self.frame += 1
        self._size = (image.shape[0], image.shape[1])
        inputs = self._processor(images=image, return_tensors="pt", input_data_format="channels_last")
        self._pixels = inputs["pixel_values"].to(self._model.device)
        return {obj_id: self._fitted(one) for obj_id, one in self.objects.items()}

    def add(self, obj_id: int, prompt: Prompt) -> TrackedMask:
        """See `SegmenterSession.add`."""
        if self._pixels is None:
            raise ValueError("a prompt needs a present frame: advance first")
        one = self.objects.get(obj_id) or self.new_object()
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
        self._processor.add_inputs_to_inference_session(one, self.frame, 0, original_size=self._size, **inputs)
        tracked = self._fitted(one)
        self.objects[obj_id] = one
        return tracked if prompt.mask is None else TrackedMask(prompt.mask, tracked.score)

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
        info = _Info(model=self._name, frame=self.frame, objects=list(self.objects))
        write_session(path, info, tensors, "pt")

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
        return self._processor.init_video_session(inference_device=self._model.device)

    def _fitted(self, one: Any) -> TrackedMask:
        """One object on the present frame. There is nothing that could be made smaller: objects go one by one."""
        return until_it_fits(lambda: self._run(one), lambda: False)

    def _run(self, one: Any) -> TrackedMask:
        with torch.inference_mode(), half_precision(self._model.device):
            output = self._model(inference_session=one, frame=self._pixels, frame_idx=self.frame)
            masks = self._processor.post_process_masks([output.pred_masks], [self._size], binarize=True)[0]
        self._forget(one)
        score = float(output.object_score_logits.flatten()[0].float().sigmoid())
        return TrackedMask(masks.reshape(self._size).cpu().numpy(), score)

    def _forget(self, one: Any) -> None:
        """Keep what later frames read: 6 masks, 15 pointers and the latest prompted frames."""
        config = self._model.config
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
        one.processed_frames.clear()
        for by_frame in (one.point_inputs_per_obj[0], one.mask_inputs_per_obj[0], one.frames_tracked_per_obj[0]):
            for frame in [frame for frame in by_frame if frame != self.frame]:
                del by_frame[frame]

    def _forget_prompts(self, prompted: dict[int, Any]) -> None:
        """Of many prompted frames the closest are read: going forward, the latest."""
        config = self._model.config
        for frame in sorted(prompted)[: -config.max_cond_frame_num] if config.max_cond_frame_num > 0 else ():
            if self.frame - frame >= config.max_object_pointers_in_encoder:
                del prompted[frame]
