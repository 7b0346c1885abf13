"""Models of the `transformers` library from a local folder: nothing is downloaded, no code from the folder runs."""

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torchvision.ops import batched_nms

from core.errors import Unavailable, UnsafeFile
from core.models.roles import Detection
from core.weights.folder import check_folder


def from_transformers(name: str, what: str) -> Any:
    """A class of the installed `transformers`. Raises `Unavailable` where this version has none of that name."""
    try:
        return getattr(import_module("transformers"), name)
    except (ImportError, AttributeError):
        have = version("transformers")
        raise Unavailable(
            f"{what} needs {name}, which transformers {have} does not have: pip install --upgrade transformers"
        ) from None


def load_processor(name: str, what: str, folder: Path) -> Any:
    """The processor of this class from `folder`. Raises `Unavailable`, or `UnsafeFile` for a broken folder."""
    processor = from_transformers(name, what)
    try:
        return processor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UnsafeFile(f"{folder}: no {what} processor ({_first_line(error)})") from None


def load_model(name: str, what: str, model_type: str, folder: Path, device: torch.device) -> Any:
    """The model of this class from `folder`, in evaluation mode; safetensors only.

    Raises:
        Unavailable: the installed `transformers` does not have it.
        UnsafeFile: the folder is broken, or holds other weights: nothing is filled up with random numbers.
    """
    check_folder(folder, what, model_type)
    model_class = from_transformers(name, what)
    from_transformers("utils", what).logging.disable_progress_bar()
    try:
        model, loading = model_class.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise UnsafeFile(f"{folder}: no {what} model ({_first_line(error)})") from None
    wrong = sorted(str(name) for kind in ("missing_keys", "mismatched_keys") for name in loading.get(kind, ()))
    if wrong:
        raise UnsafeFile(
            f"{folder}: not the weights of {what}: {len(wrong)} tensors missing or misshapen, as {wrong[0]}"
        )
    return model.to(device).eval()


def without_doubles(detections: Sequence[Detection], iou: float) -> list[Detection]:
    """Drop detections that overlap a better one of the same label by more than `iou`; best first."""
    if not detections:
        return []
    boxes = torch.tensor([detection.box for detection in detections])
    scores = torch.tensor([detection.score for detection in detections])
    labels = list(dict.fromkeys(detection.label for detection in detections))
    classes = torch.tensor([labels.index(detection.label) for detection in detections])
    return [detections[index] for index in batched_nms(boxes, scores, classes, iou).tolist()]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
