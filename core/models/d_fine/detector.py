"""D-FINE as a `Detector`: the words it was trained on to boxes."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from core.models.d_fine.words import labels_sought
from core.models.detecting import Family, FrameByFrame
from core.models.device import default_device
from core.models.options import BOX_THRESHOLD
from core.models.phrases import check_phrases
from core.models.pretrained import load_model, load_processor, to_detections
from core.models.spec import ModelSpec
from core.prompts import Detection
from core.video.frames import RGB


def load_d_fine(family: Family, spec: ModelSpec) -> "DFine":
    """The detector from a folder of the library's files. Raises as `load_model`."""
    model = load_model(family.model, family.name, family.model_type, spec.weights, default_device())
    processor = load_processor(family.processor, family.name, spec.weights)
    return DFine(model, processor, spec.number(BOX_THRESHOLD, family.box_threshold))


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
        return FrameByFrame(lambda image: self.detect([image], sought)[0], self.threshold)

    @torch.inference_mode()
    def detect(self, images: Sequence[RGB], sought: Mapping[str, str]) -> list[list[Detection]]:
        """What is sought in each image, the images in one batch.

        Args:
            images: uint8 RGB [H, W, 3], of any sizes.
            sought: what each of the model's labels is to be called.
        """
        sizes = [image.shape[:2] for image in images]
        inputs = self._processor(images=list(images), return_tensors="pt", input_data_format="channels_last")
        outputs = self._model(pixel_values=inputs["pixel_values"].to(self._model.device))
        results = self._processor.post_process_object_detection(outputs, self.threshold, sizes)
        found = []
        for one, (height, width) in zip(results, sizes, strict=True):
            named = [self._model.config.id2label[index] for index in one["labels"].tolist()]
            scored = zip(one["boxes"].tolist(), named, one["scores"].tolist(), strict=True)
            wanted = [(corners, sought[label], score) for corners, label, score in scored if label in sought]
            found.append(to_detections(wanted, width, height))
        return found
