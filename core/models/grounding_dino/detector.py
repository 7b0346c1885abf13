"""Grounding DINO as a `Detector`: any words to boxes."""

from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.errors import RefusedInput
from core.models.backoff import until_it_fits
from core.models.phrases import check_phrases, phrases
from core.models.pretrained import load_model, load_processor, to_detections
from core.prompts import Detection, Trust
from core.video.frames import RGB

WHAT = "grounding-dino"
MODEL_TYPE = "grounding-dino"
USUAL_THRESHOLD = 0.35
_TEXT_THRESHOLD = 0.25


def load_grounding_dino(folder: Path, device: torch.device, box_threshold: float = USUAL_THRESHOLD) -> "GroundingDino":
    """The detector from a folder as `maskflow weights get grounding-dino-tiny` makes it. Raises as `load_model`."""
    model = load_model("GroundingDinoForObjectDetection", WHAT, MODEL_TYPE, folder, device)
    return GroundingDino(model, load_processor("GroundingDinoProcessor", WHAT, folder), box_threshold)


def check_text(prompt: str, tokenizer: Any, longest: int) -> None:
    """Raises `RefusedInput` for a text that is longer than the model reads, or of which it sees nothing."""
    wanted = phrases(prompt)
    for phrase in wanted:
        if not tokenizer(phrase, add_special_tokens=False)["input_ids"]:
            raise RefusedInput.of("text_prompt", prompt, f"the model sees nothing in {phrase!r}")
    tokens = len(tokenizer(model_text(wanted))["input_ids"])
    if tokens > longest:
        raise RefusedInput.of("text_prompt", prompt, f"at most {longest} tokens; this text has {tokens}")


class GroundingDino:
    """Implements `Detector`.

    Args:
        model: `GroundingDinoForObjectDetection`, in evaluation mode.
        processor: its `GroundingDinoProcessor`.
        box_threshold: detections under this score are dropped.
    """

    def __init__(self, model: Any, processor: Any, box_threshold: float = USUAL_THRESHOLD) -> None:
        self._model = model
        self._processor = processor
        self.threshold = box_threshold

    def start(self, prompt: str) -> "GroundingDinoSession":
        """See `Detector.start`."""
        check_phrases(prompt)
        check_text(prompt, self._processor.tokenizer, self._model.config.max_text_len)
        wanted = phrases(prompt)
        return GroundingDinoSession(self, wanted, model_text(wanted))

    @torch.inference_mode()
    def detect(self, images: Sequence[RGB], wanted: Sequence[str], text: str) -> list[list[Detection]]:
        """What `text` names in each image, all in one forward pass.

        Args:
            images: uint8 RGB [H, W, 3], of any sizes.
            wanted: the phrases `text` was made from.
            text: see `model_text`.
        """
        inputs = self._processor(
            images=list(images), text=[text] * len(images), return_tensors="pt", input_data_format="channels_last"
        ).to(self._model.device)
        outputs = self._model(**inputs)
        sizes = [image.shape[:2] for image in images]
        found = self._post_process(outputs, inputs["input_ids"], sizes)
        detections = []
        for row, (one, (height, width)) in enumerate(zip(found, sizes, strict=True)):
            tokens = outputs.logits[row].sigmoid()
            tokens = tokens[tokens.amax(dim=1) > self.threshold]
            labels = best_phrases(tokens, inputs["input_ids"][row], wanted, self._processor.tokenizer)
            scored = zip(one["boxes"].tolist(), labels, one["scores"].tolist(), strict=True)
            detections.append(to_detections(scored, width, height))
        return detections

    def _post_process(self, outputs: Any, input_ids: Tensor, sizes: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
        process = self._processor.post_process_grounded_object_detection
        # Renamed in transformers 4.51; the old spelling was dropped later.
        threshold = "threshold" if "threshold" in signature(process).parameters else "box_threshold"
        found: list[dict[str, Any]] = process(
            outputs,
            input_ids,
            text_threshold=_TEXT_THRESHOLD,
            target_sizes=list(sizes),
            **{threshold: self.threshold},
        )
        return found


class GroundingDinoSession:
    """Implements `DetectorSession`."""

    def __init__(self, detector: GroundingDino, wanted: Sequence[str], text: str) -> None:
        self._detector = detector
        self._wanted = wanted
        self._text = text

    def trust_of(self, label: str | None) -> Trust:  # noqa: ARG002 - of all alike
        """See `DetectorSession.trust_of`."""
        return Trust(min_score=self._detector.threshold)

    def detect(self, image: RGB) -> list[Detection]:
        """See `DetectorSession.detect`."""
        return until_it_fits(lambda: self._detector.detect([image], self._wanted, self._text)[0], lambda: False)


def model_text(wanted: Sequence[str]) -> str:
    """Phrases as the model was trained on them: lower case, each ended by a full stop, as in `car. person.`"""
    return " ".join(f"{phrase}." for phrase in wanted)


def best_phrases(tokens: Tensor, input_ids: Tensor, wanted: Sequence[str], tokenizer: Any) -> list[str]:
    """The phrase that each detection fits best.

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
    return [wanted[index] for index in torch.stack(spans).argmax(dim=0).tolist()]
