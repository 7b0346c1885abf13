"""D-FINE as a `Detector`: the words it was trained on to boxes."""

from collections.abc import Mapping
from typing import Any

import torch

from core.models.d_fine.words import labels_sought
from core.models.detecting import FrameByFrame
from core.models.family import Family
from core.models.options import BOX_THRESHOLD
from core.models.phrases import check_phrases
from core.models.pretrained import load_detector, to_detections
from core.models.spec import ModelSpec
from core.prompts import Detection
from core.video.frames import RGB


def load_d_fine(family: Family, spec: ModelSpec) -> "DFine":
    """The detector from a folder of the library's files. Raises as `load_model`."""
    return DFine(*load_detector(family, spec.weights), spec.number(BOX_THRESHOLD, family.box_threshold))


class DFine:
    """Implements `Detector`.

    Args:
        model: `DFineForObjectDetection`, in evaluation mode.
        processor: its `RTDetrImageProcessor`.
        box_threshold: detections that score less are dropped.
    """

    def __init__(self, model: Any, processor: Any, box_threshold: float) -> None:
        self._model = model
        self._processor = processor
        self.threshold = box_threshold

    def start(self, prompt: str) -> FrameByFrame:
        """See `Detector.start`."""
        check_phrases(prompt)
        named = self._model.config.id2label
        sought = labels_sought(prompt, [named[index] for index in range(len(named))])
        return FrameByFrame(lambda image: self.detect(image, sought), self.threshold)

    @torch.inference_mode()
    def detect(self, image: RGB, sought: Mapping[str, str]) -> list[Detection]:
        """What is sought in an image, uint8 RGB [H, W, 3]; by the model's label, what it is to be called."""
        height, width = image.shape[:2]
        inputs = self._processor(images=image, return_tensors="pt", input_data_format="channels_last")
        outputs = self._model(pixel_values=inputs["pixel_values"].to(self._model.device))
        (found,) = self._processor.post_process_object_detection(outputs, self.threshold, [(height, width)])
        named = [self._model.config.id2label[index] for index in found["labels"].tolist()]
        scored = zip(found["boxes"].tolist(), named, found["scores"].tolist(), strict=True)
        wanted = [(corners, sought[label], score) for corners, label, score in scored if label in sought]
        return to_detections(wanted, width, height)
