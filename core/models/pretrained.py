"""Models of the `transformers` library from a local folder: nothing is downloaded, no code from the folder runs."""

from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torchvision.ops import batched_nms

from core.errors import Unavailable, UnsafeFile
from core.masks.boxes import clip_box
from core.models.device import default_device
from core.models.family import Family
from core.prompts import Detection
from core.store.safe_load import load_json
from core.weights.folder import check_folder

_NMS_IOU = 0.7


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


def config_number(folder: Path, *place: str) -> int:
    """A number of the model's `config.json`. Raises `UnsafeFile` where it is not there."""
    found: Any = load_json(folder / "config.json")
    for name in place:
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, int):
        raise UnsafeFile(f"{folder / 'config.json'}: there is no number {'.'.join(place)}")
    return found


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
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise UnsafeFile(f"{folder}: no {what} model ({_first_line(error)})") from None
    wrong = sorted(str(name) for kind in ("missing_keys", "mismatched_keys") for name in loading.get(kind, ()))
    if wrong:
        raise UnsafeFile(
            f"{folder}: not the weights of {what}: {len(wrong)} tensors missing or misshapen, as {wrong[0]}"
        )
    return model.to(device).eval()


def load_detector(family: Family, folder: Path) -> tuple[Any, Any]:
    """A detector's model, in evaluation mode on this process's device, and its processor. Raises as `load_model`."""
    model = load_model(family.model, family.name, family.model_type, folder, default_device())
    return model, load_processor(family.processor, family.name, folder)


def to_detections(found: Iterable[tuple[Sequence[float], str, float]], width: int, height: int) -> list[Detection]:
    """What a model found, as `(x0, y0, x1, y1)` pixels, label, score: the part in the picture, best first.

    Of detections of the same label that overlap much, the best is kept.
    """
    clipped = [(clip_box((x0, y0, x1, y1), width, height), label, score) for (x0, y0, x1, y1), label, score in found]
    inside = [Detection(box, label, score) for box, label, score in clipped if box is not None]
    if not inside:
        return []
    boxes = torch.tensor([one.box for one in inside])
    scores = torch.tensor([one.score for one in inside])
    labels = list(dict.fromkeys(one.label for one in inside))
    classes = torch.tensor([labels.index(one.label) for one in inside])
    return [inside[index] for index in batched_nms(boxes, scores, classes, _NMS_IOU).tolist()]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
