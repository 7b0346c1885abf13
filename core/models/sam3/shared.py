"""SAM 3 as one model: detector and tracker on one image encoder, which sees each frame once."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from core.models.device import default_device, half_precision
from core.models.pretrained import load_model, load_processor
from core.models.sam3.family import FAMILY
from core.models.spec import ModelSpec
from core.video.frames import RGB

_loaded: WeakValueDictionary[tuple[Path, str | None, torch.device], "Sam3"] = WeakValueDictionary()


def load_sam3(spec: ModelSpec) -> "Sam3":
    """The model in a folder as `maskflow weights get sam3` makes it, the same one for both its roles.

    Raises as `load_model`.
    """
    device = default_device()
    key = (spec.weights, spec.sha256, device)
    model = _loaded.get(key)
    if model is None:
        model = Sam3.load(spec.weights, device)
        _loaded[key] = model
    return model


class Sam3:
    """The library's `Sam3VideoModel`, its two processors, and the frame that it looked at last.

    Attributes:
        model: in evaluation mode.
        processor: for images and words.
        tracker_processor: for prompts and masks.
        encoded_frames: how many frames went through the encoder.
    """

    def __init__(self, model: Any, processor: Any, tracker_processor: Any) -> None:
        self.model = model
        self.processor = processor
        self.tracker_processor = tracker_processor
        self.encoded_frames = 0
        self._latest: Look | None = None

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> "Sam3":
        """See `load_sam3`."""
        model = load_model(FAMILY.model, FAMILY.name, FAMILY.model_type, folder, device)
        names = (FAMILY.processor, "Sam3TrackerVideoProcessor")
        return cls(model, *(load_processor(name, FAMILY.name, folder) for name in names))

    def look(self, image: RGB) -> "Look":
        """What the encoder sees in an image [H, W, 3]; computed once while the same array is looked at."""
        latest = self._latest
        if latest is None or latest.image is not image:
            latest = self._latest = Look(self, image)
        return latest


class Look:
    """One image through the encoder: what detector and tracker read of it, each made when it is first wanted."""

    def __init__(self, sam3: Sam3, image: RGB) -> None:
        self._sam3 = sam3
        self.image = image

    @cached_property
    def pixels(self) -> Tensor:
        """As the model wants them, float32 [1, 3, S, S]."""
        inputs = self._sam3.processor(images=self.image, return_tensors="pt", input_data_format="channels_last")
        pixels: Tensor = inputs["pixel_values"].to(self._sam3.model.device)
        return pixels

    @cached_property
    def for_detector(self) -> Any:
        """The encoder's own output."""
        self._sam3.encoded_frames += 1
        with torch.inference_mode(), half_precision(self._sam3.model.device):
            return self._sam3.model.detector_model.get_vision_features(pixel_values=self.pixels)

    @cached_property
    def for_tracker(self) -> Mapping[str, Any]:
        """As the library's tracker caches it."""
        with torch.inference_mode(), half_precision(self._sam3.model.device):
            features, positions = self._sam3.model.get_vision_features_for_tracker(self.for_detector)
        return {"vision_feats": features, "vision_pos_embeds": positions}
