"""What `annotate_long_video` checks before any work begins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from core.errors import RefusedInput
from core.formats.hd_epic import HdEpic
from core.formats.prompts import read_prompts
from core.formats.sparse_annotations import SparseAnnotations, from_prompts
from core.formats.visor import Visor
from core.models.registry import Backend
from core.models.roles import Detector, VideoSegmenter
from core.models.spec import ModelOptions
from core.store.paths import slugify
from core.video.video_paths import VIDEO_SUFFIXES
from core.weights.sam2_names import SamType
from flows.models import choose_models, model_options
from tasks.devices.timeouts import Timeouts
from tasks.placement import Devices, choose_devices
from tasks.store import check_writable

Mode = Literal["carry", "parallel"]
ASSOC_INFO = Path("scene-and-object-movements/assoc_info.json")
MASK_INFO = "mask_info.json"  # beside it
FAILURES = "failures.jsonl"
ReadAnnotations = Callable[[str, int, int, npt.NDArray[np.float64]], SparseAnnotations | None]
"""Video id, width, height and the frames' times to its annotations; None where the source knows no such video."""


@dataclass(frozen=True)
class Plan:
    """A checked set of parameters: everything that can be refused has been."""

    root: Path
    videos: dict[str, Path | None]
    annotations: ReadAnnotations | None
    source: str
    text_prompt: str | None
    models: ModelOptions
    detector: Backend[Detector] | None
    segmenter: Backend[VideoSegmenter]
    devices: Devices


def check(
    video_id: Sequence[str],
    video_path: Path,
    assoc_info: Path | None,
    mask_info: Path | None,
    visor: Path | None,
    prompts: Path | None,
    text_prompt: str | None,
    output_dir: Path,
    window_duration: float,
    window_overlap: float,
    hold_out: float,
    detector: str,
    segmenter: str,
    sam_type: SamType,
    sam_image_size: int,
    sam_compile: bool,
    model_path: Path | None,
    detector_path: Path | None,
    gpu_ids: Sequence[int] | None,
    num_workers: int | None,
    cluster: str | None,
    stall_timeout: float,
    item_timeout: float | None,
) -> Plan:
    """Check everything that can be checked before work begins. Raises `RefusedInput` with parameter, value, remedy."""
    ids = list(dict.fromkeys(video_id))
    for one in ids:
        if slugify(one) != one:
            accepted = "letters, digits, '.', '_' and '-': it is part of the results' file names"
            raise RefusedInput.of("video_id", one, accepted)
    if not ids:
        raise RefusedInput.of("video_id", video_id, "at least one")
    if not video_path.expanduser().exists():
        raise RefusedInput(
            f"video_path = {str(video_path)!r} does not exist: give the folder of the videos, or a video"
        )
    if video_path.expanduser().is_file() and len(ids) > 1:
        raise RefusedInput.of("video_path", str(video_path), "a folder, where there is more than one video_id")
    if window_overlap >= window_duration:
        raise RefusedInput.of("window_overlap", window_overlap, f"less than window_duration = {window_duration}")
    text = (text_prompt or "").strip() or None
    if text is not None and hold_out > 0:
        raise RefusedInput.of("hold_out", hold_out, "0 with a text prompt: there are no annotations to hold out")
    annotations, source = _annotations(assoc_info, mask_info, visor, prompts, text)
    models = model_options(sam_type, sam_image_size, sam_compile, model_path, detector_path)
    finder, follower = choose_models(text, detector, segmenter, models)
    check_writable("output_dir", output_dir)
    found = {one: _find(video_path.expanduser(), one) for one in ids}
    return Plan(
        video_path,
        found,
        annotations,
        source,
        text,
        models,
        finder,
        follower,
        choose_devices(gpu_ids, num_workers, cluster, Timeouts(stall_timeout, item_timeout)),
    )


def _annotations(
    assoc_info: Path | None, mask_info: Path | None, visor: Path | None, prompts: Path | None, text: str | None
) -> tuple[ReadAnnotations | None, str]:
    """The one source of prompts, and what it is called."""
    hd_epic = assoc_info is not None or mask_info is not None
    given = [name for name, there in zip(("assoc_info", "visor", "prompts", "text_prompt"),
             (hd_epic, visor, prompts, text), strict=True) if there]  # fmt: skip
    if len(given) > 1:
        raise RefusedInput(f"{' and '.join(given)} were given: annotations come from one of them")
    if text is not None:
        return None, f"text prompt {text!r}"
    if visor is not None:
        return Visor(visor).annotations, f"VISOR file {visor}"
    if prompts is not None:
        by_video = read_prompts(prompts)
        return lambda one, *_: from_prompts(by_video[one]) if one in by_video else None, f"prompts file {prompts}"
    assoc = assoc_info or ASSOC_INFO
    masks = mask_info or assoc.with_name(MASK_INFO)
    if not hd_epic and not assoc.exists():
        accepted = "give assoc_info and mask_info, or visor, or prompts, or text_prompt: nothing tells what to annotate"
        raise RefusedInput(f"{accepted} (and there is no {assoc})")
    movements = HdEpic(assoc, masks)
    return lambda one, *_: movements.annotations(one), f"HD-EPIC {assoc}"


def _find(root: Path, video_id: str) -> Path | None:
    """`root/participant/video_id.mp4` as HD-EPIC has it, `root/video_id.*`, a folder of images, or `root` itself."""
    if root.is_file():
        return root
    participant = video_id.partition("-")[0]
    for folder in (root / participant, root):
        if folder.is_dir():
            found = [
                path
                for path in sorted(folder.iterdir())
                if path.stem == video_id and path.suffix.lower() in VIDEO_SUFFIXES
            ]
            if found:
                return found[0]
            if (folder / video_id).is_dir():
                return folder / video_id
    return None
