"""OWLv2 as a `Detector`: any words to boxes, each phrase compared with each patch of the picture."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from core.errors import RefusedInput
from core.models.detecting import FrameByFrame
from core.models.family import Family
from core.models.options import BOX_THRESHOLD
from core.models.phrases import check_phrases, phrases
from core.models.pretrained import load_detector, to_detections
from core.models.spec import ModelSpec
from core.prompts import Detection
from core.video.frames import RGB

_QUERY = "a photo of a {}"  # the words around a phrase with which it was trained (section A.2 of the paper)


def load_owlv2(family: Family, spec: ModelSpec) -> "Owlv2":
    """The detector from a folder as `maskflow weights get owlv2` makes it. Raises as `load_model`."""
    return Owlv2(*load_detector(family, spec.weights), spec.number(BOX_THRESHOLD, family.box_threshold))


def check_text(prompt: str, tokenizer: Any, longest: int) -> None:
    """Raises `RefusedInput` for a phrase that is longer than the model reads."""
    for phrase in phrases(prompt):
        tokens = len(tokenizer(_QUERY.format(phrase))["input_ids"])
        if tokens > longest:
            reason = f"phrases of at most {longest} tokens, 'a photo of a' included; this one has {tokens}: {phrase!r}"
            raise RefusedInput.of("text_prompt", prompt, reason)


class Owlv2:
    """Implements `Detector`. Phrases are encoded once a video.

    Args:
        model: `Owlv2ForObjectDetection`, in evaluation mode.
        processor: its `Owlv2Processor`.
        box_threshold: detections that score less are dropped.
    """

    def __init__(self, model: Any, processor: Any, box_threshold: float) -> None:
        self._model = model
        self._processor = processor
        self.threshold = box_threshold

    @torch.inference_mode()
    def start(self, prompt: str) -> FrameByFrame:
        """See `Detector.start`."""
        check_phrases(prompt)
        check_text(prompt, self._processor.tokenizer, self._model.config.text_config.max_position_embeddings)
        wanted = phrases(prompt)
        queries = self._encode([_QUERY.format(phrase) for phrase in wanted])
        return FrameByFrame(lambda image: self.detect(image, wanted, queries), self.threshold)

    @torch.inference_mode()
    def detect(self, image: RGB, wanted: Sequence[str], queries: Tensor) -> list[Detection]:
        """What the phrases name in an image.

        Args:
            image: uint8 RGB [H, W, 3].
            wanted: the phrases.
            queries: their embeddings, [phrases, C].
        """
        inputs = self._processor(images=image, return_tensors="pt", input_data_format="channels_last")
        maps, _ = self._model.image_embedder(inputs["pixel_values"].to(self._model.device))
        patches = maps.flatten(1, 2)
        logits, _ = self._model.class_predictor(patches, queries[None])
        scores, labels = logits[0].sigmoid().max(dim=-1)
        kept = scores > self.threshold
        # Pictures are padded to squares below and on the right, and boxes count in parts of those.
        x, y, w, h = (self._model.box_predictor(patches, maps)[0, kept] * max(image.shape[:2])).unbind(-1)
        corners = torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1).tolist()
        names = [wanted[index] for index in labels[kept].tolist()]
        scored = zip(corners, names, scores[kept].tolist(), strict=True)
        return to_detections(scored, image.shape[1], image.shape[0])

    def _encode(self, texts: Sequence[str]) -> Tensor:
        """Embeddings of queries, [queries, C], each of length 1."""
        tokens = self._processor(text=[list(texts)], return_tensors="pt").to(self._model.device)
        features: Tensor = self._model.owlv2.get_text_features(**tokens).pooler_output
        unit: Tensor = features / features.norm(dim=-1, keepdim=True)
        return unit
