"""SAM 3 as a `Detector`: any words to boxes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from core.errors import RefusedInput
from core.models.detecting import FrameByFrame
from core.models.device import half_precision
from core.models.family import Family
from core.models.options import BOX_THRESHOLD
from core.models.phrases import check_phrases, phrases
from core.models.pretrained import config_number, from_transformers, load_detector, load_processor, to_detections
from core.models.sam3.family import FAMILY
from core.models.sam3.shared import Sam3, load_sam3
from core.models.spec import ModelSpec
from core.prompts import Detection
from core.video.frames import RGB

Text = tuple[torch.Tensor, torch.Tensor]
"""A phrase's features [1, T, C] and attention mask [1, T]."""


def load_sam3_detector(spec: ModelSpec) -> "Sam3Detector":
    """The detector from a folder as `maskflow weights get sam3` makes it. Raises as `load_model`."""
    return sam3_detector(load_sam3(spec), spec.number(BOX_THRESHOLD, FAMILY.box_threshold))


def sam3_detector(sam3: Sam3, threshold: float) -> "Sam3Detector":
    """The detector of a loaded SAM 3, which shares the encoder with its tracker."""
    return Sam3Detector(
        sam3.model.detector_model, sam3.processor, lambda image: sam3.look(image).for_detector, threshold
    )


def load_lone_detector(family: Family, spec: ModelSpec) -> "Sam3Detector":
    """A relative of SAM 3's detector without a tracker. Raises as `load_model`."""
    model, processor = load_detector(family, spec.weights)

    def encode(image: RGB) -> Any:
        inputs = processor(images=image, return_tensors="pt", input_data_format="channels_last")
        return model.get_vision_features(pixel_values=inputs["pixel_values"].to(model.device))

    return Sam3Detector(model, processor, encode, spec.number(BOX_THRESHOLD, family.box_threshold))


def check_text(family: Family, path: Path, text: str, *longest: str) -> None:
    """Raises `RefusedInput` for a phrase longer than the model at `path` reads; `longest`: see `config_number`."""
    tokenizer = load_processor(family.processor, family.name, path).tokenizer
    check_tokens(text, tokenizer, config_number(path, *longest))


def check_tokens(prompt: str, tokenizer: Any, longest: int) -> None:
    """Raises `RefusedInput` for a phrase that is longer than the model reads."""
    for phrase in phrases(prompt):
        tokens = len(tokenizer(phrase)["input_ids"])
        if tokens > longest:
            accepted = (
                f"phrases of at most {longest} tokens, each ended by a full stop; this one has {tokens}: {phrase!r}"
            )
            raise RefusedInput.of("text_prompt", prompt, accepted)


class Sam3Detector:
    """Implements `Detector`. Each phrase is encoded once, each frame once for all phrases.

    Args:
        model: `Sam3Model` or its LiteText relative, in evaluation mode.
        processor: its `Sam3Processor`.
        encode: what the model's image encoder sees in a frame [H, W, 3].
        threshold: detections that score less are dropped.
    """

    def __init__(self, model: Any, processor: Any, encode: Callable[[RGB], Any], threshold: float) -> None:
        self._model = model
        self._processor = processor
        self._encode = encode
        self.threshold = threshold
        self._texts: dict[str, Text] = {}
        self._text_output = from_transformers("modeling_outputs", FAMILY.name).BaseModelOutputWithPooling

    def start(self, prompt: str) -> FrameByFrame:
        """See `Detector.start`."""
        check_phrases(prompt)
        check_tokens(prompt, self._processor.tokenizer, self._model.config.text_config.max_position_embeddings)
        texts = {phrase: self._text(phrase) for phrase in phrases(prompt)}
        return FrameByFrame(lambda image: self.detect(image, texts), self.threshold)

    def detect(self, image: RGB, texts: Mapping[str, Text]) -> list[Detection]:
        """What the texts, by phrase, name in an image, uint8 RGB [H, W, 3]."""
        height, width = image.shape[:2]
        found: list[tuple[list[float], str, float]] = []
        with torch.inference_mode(), half_precision(self._model.device):
            vision = self._encode(image)
            for phrase, (features, mask) in texts.items():
                text = self._text_output(pooler_output=features)
                outputs = self._model(vision_embeds=vision, text_embeds=text, attention_mask=mask)
                (one,) = self._processor.post_process_object_detection(outputs, self.threshold, [(height, width)])
                scored = zip(one["boxes"].float().tolist(), one["scores"].float().tolist(), strict=True)
                found += [(corners, phrase, score) for corners, score in scored]
        return to_detections(found, width, height)

    def _text(self, phrase: str) -> Text:
        if phrase not in self._texts:
            with torch.inference_mode(), half_precision(self._model.device):
                inputs = self._processor(text=phrase, return_tensors="pt").to(self._model.device)
                features = self._model.get_text_features(**inputs).pooler_output
            self._texts[phrase] = (features, inputs["attention_mask"])
        return self._texts[phrase]
