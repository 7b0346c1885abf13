"""SAM 3 as a `Detector`: any words to boxes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from core.errors import RefusedInput
from core.models.backoff import until_it_fits
from core.models.phrases import check_phrases, phrases
from core.models.pretrained import from_transformers, load_model, load_processor, to_detections
from core.prompts import Detection, Trust
from core.video.frames import RGB

WHAT = "sam3"
MODEL_TYPE = "sam3_video"
USUAL_THRESHOLD = 0.5


def load_sam3_detector(folder: Path, device: torch.device, threshold: float = USUAL_THRESHOLD) -> "Sam3Detector":
    """The detector from a folder as `maskflow weights get sam3` makes it. Raises as `load_model`."""
    model = load_model("Sam3Model", WHAT, MODEL_TYPE, folder, device)
    return Sam3Detector(model, load_processor("Sam3Processor", WHAT, folder), threshold)


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
    """Implements `Detector`. Each phrase is encoded once a video, each frame once for all phrases.

    Args:
        model: `Sam3Model`, in evaluation mode.
        processor: its `Sam3Processor`.
        threshold: detections under this score are dropped.
    """

    def __init__(self, model: Any, processor: Any, threshold: float = USUAL_THRESHOLD) -> None:
        self._model = model
        self._processor = processor
        self.threshold = threshold
        self._text_output = from_transformers("modeling_outputs", WHAT).BaseModelOutputWithPooling

    @torch.inference_mode()
    def start(self, prompt: str) -> "Sam3DetectorSession":
        """See `Detector.start`."""
        check_phrases(prompt)
        check_tokens(prompt, self._processor.tokenizer, self._model.config.text_config.max_position_embeddings)
        texts = {}
        for phrase in phrases(prompt):
            inputs = self._processor(text=phrase, return_tensors="pt").to(self._model.device)
            texts[phrase] = (self._model.get_text_features(**inputs).pooler_output, inputs["attention_mask"])
        return Sam3DetectorSession(self, texts)

    @torch.inference_mode()
    def detect(
        self, images: Sequence[RGB], texts: dict[str, tuple[torch.Tensor, torch.Tensor]]
    ) -> list[list[Detection]]:
        """What the texts name in each image, the images in one batch.

        Args:
            images: uint8 RGB [H, W, 3], of any sizes.
            texts: by phrase, its features [1, T, C] and attention mask [1, T].
        """
        sizes = [image.shape[:2] for image in images]
        pixels = self._processor(images=list(images), return_tensors="pt", input_data_format="channels_last")
        vision = self._model.get_vision_features(pixel_values=pixels["pixel_values"].to(self._model.device))
        found: list[list[tuple[list[float], str, float]]] = [[] for _ in images]
        for phrase, (features, mask) in texts.items():
            outputs = self._model(
                vision_embeds=vision,
                text_embeds=self._text_output(pooler_output=features.expand(len(images), -1, -1)),
                attention_mask=mask.expand(len(images), -1),
            )
            results = self._processor.post_process_object_detection(outputs, self.threshold, sizes)
            for so_far, one in zip(found, results, strict=True):
                scored = zip(one["boxes"].tolist(), one["scores"].tolist(), strict=True)
                so_far += [(corners, phrase, score) for corners, score in scored]
        return [to_detections(one, width, height) for one, (height, width) in zip(found, sizes, strict=True)]


class Sam3DetectorSession:
    """Implements `DetectorSession`."""

    def __init__(self, detector: Sam3Detector, texts: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> None:
        self._detector = detector
        self._texts = texts

    def trust_of(self, label: str | None) -> Trust:  # noqa: ARG002 - of all alike
        """See `DetectorSession.trust_of`."""
        return Trust(min_score=self._detector.threshold)

    def detect(self, image: RGB) -> list[Detection]:
        """See `DetectorSession.detect`."""
        return until_it_fits(lambda: self._detector.detect([image], self._texts)[0], lambda: False)
