"""Grounding DINO as a `Detector`: any words to boxes."""

from collections.abc import Sequence
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from core.errors import RefusedInput
from core.models.detecting import FrameByFrame, in_texts
from core.models.family import Family
from core.models.options import BOX_THRESHOLD, TEXT_THRESHOLD
from core.models.phrases import check_phrases, phrases
from core.models.pretrained import load_detector, to_detections
from core.models.spec import ModelSpec
from core.prompts import Detection
from core.video.frames import RGB


def load_grounding_dino(family: Family, spec: ModelSpec) -> "GroundingDino":
    """The detector from a folder of the library's files. Raises as `load_model`."""
    return GroundingDino(
        *load_detector(family, spec.weights),
        spec.number(BOX_THRESHOLD, family.box_threshold),
        spec.number(TEXT_THRESHOLD, family.text_threshold),
    )


def check_text(prompt: str, tokenizer: Any, longest: int) -> None:
    """Raises `RefusedInput` for a phrase that is longer than the model reads, or of which it sees nothing."""
    for phrase in phrases(prompt):
        if not tokenizer(phrase, add_special_tokens=False)["input_ids"]:
            raise RefusedInput.of("text_prompt", prompt, f"the model sees nothing in {phrase!r}")
        tokens = len(tokenizer(model_text([phrase]))["input_ids"])
        if tokens > longest:
            raise RefusedInput.of("text_prompt", prompt, f"at most {longest} tokens a phrase; one has {tokens}")


class GroundingDino:
    """Implements `Detector`. Phrases that do not fit into one text are looked for in several.

    Args:
        model: `GroundingDinoForObjectDetection` or its MM relative, in evaluation mode.
        processor: its `GroundingDinoProcessor`.
        box_threshold: detections that score less are dropped.
        text_threshold: detections that score less for every phrase are dropped.
    """

    def __init__(self, model: Any, processor: Any, box_threshold: float, text_threshold: float) -> None:
        self._model = model
        self._processor = processor
        self.threshold = box_threshold
        self._text_threshold = text_threshold

    def start(self, prompt: str) -> FrameByFrame:
        """See `Detector.start`."""
        check_phrases(prompt)
        tokenizer, longest = self._processor.tokenizer, self._model.config.max_text_len
        check_text(prompt, tokenizer, longest)
        texts = list(in_texts(phrases(prompt), lambda group: len(tokenizer(model_text(group))["input_ids"]) <= longest))
        return FrameByFrame(lambda image: self.detect([image], texts)[0], self.threshold)

    @torch.inference_mode()
    def detect(self, images: Sequence[RGB], texts: Sequence[Sequence[str]]) -> list[list[Detection]]:
        """What `texts` name in each image, all images in one forward pass for each text.

        Args:
            images: uint8 RGB [H, W, 3], of any sizes.
            texts: the phrases of each text.
        """
        sizes = [image.shape[:2] for image in images]
        found: list[list[tuple[list[float], str, float]]] = [[] for _ in images]
        for wanted in texts:
            inputs = self._processor(
                images=list(images),
                text=[model_text(wanted)] * len(images),
                return_tensors="pt",
                input_data_format="channels_last",
            ).to(self._model.device)
            outputs = self._model(**inputs)
            boxes = self._post_process(outputs, inputs["input_ids"], sizes)
            for row, (so_far, one) in enumerate(zip(found, boxes, strict=True)):
                tokens = outputs.logits[row].sigmoid()
                tokens = tokens[tokens.amax(dim=1) > self.threshold]
                named = best_phrases(tokens, inputs["input_ids"][row], wanted, self._processor.tokenizer)
                scored = zip(one["boxes"].tolist(), one["scores"].tolist(), named, strict=True)
                so_far += [
                    (corners, label, score)
                    for corners, score, (label, sureness) in scored
                    if sureness >= self._text_threshold
                ]
        return [to_detections(one, width, height) for one, (height, width) in zip(found, sizes, strict=True)]

    def _post_process(self, outputs: Any, input_ids: Tensor, sizes: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
        process = self._processor.post_process_grounded_object_detection
        # Renamed in transformers 4.51; the old spelling was dropped later.
        threshold = "threshold" if "threshold" in signature(process).parameters else "box_threshold"
        found: list[dict[str, Any]] = process(
            outputs,
            input_ids,
            text_threshold=self._text_threshold,
            target_sizes=list(sizes),
            **{threshold: self.threshold},
        )
        return found


def model_text(wanted: Sequence[str]) -> str:
    """Phrases as the model was trained on them: lower case, each ended by a full stop, as in `car. person.`"""
    return " ".join(f"{phrase}." for phrase in wanted)


def best_phrases(tokens: Tensor, input_ids: Tensor, wanted: Sequence[str], tokenizer: Any) -> list[tuple[str, float]]:
    """The phrase that each detection fits best, and its score.

    The library's own labels are the words over a threshold: they can be empty, cut short, or of two phrases at once.
    Here a phrase scores what its best token scores, and the best phrase is the label.

    Args:
        tokens: score of each token for each detection, [detections, text length].
        input_ids: the text's tokens; phrases end with a full stop.
        wanted: the phrases, in the text's order.
        tokenizer: knows the full stop.
    """
    ends = (input_ids == tokenizer.convert_tokens_to_ids(".")).nonzero()[:, 0].tolist()
    starts = [1, *(end + 1 for end in ends[:-1])]  # the first token opens the text
    spans = [tokens[:, start:end].amax(dim=1) for start, end in zip(starts, ends, strict=True)]
    scores, indices = torch.stack(spans).max(dim=0)
    return [(wanted[index], score) for index, score in zip(indices.tolist(), scores.tolist(), strict=True)]
