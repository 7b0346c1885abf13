"""What `annotate_long_video` checks before any work begins."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.addresses.address import check_address, is_address, name_of
from core.addresses.remote import AddressError
from core.errors import RefusedInput
from core.formats.corrections import VideoCorrections, corrections_by_video
from core.formats.hd_epic import HdEpic
from core.formats.prompts import keys_of, prompts_by_video
from core.formats.sparse_annotations import SparseAnnotations, from_prompts
from core.formats.visor import Visor
from core.models.backend import Backend
from core.models.roles import Detector, VideoSegmenter
from core.store.paths import distinct, files_of, slugify
from core.video.image_folder import has_images
from core.video.video_paths import VIDEO_SUFFIXES
from flows.annotate_long_video.options import Windows
from flows.checking import once_a_run
from flows.options import Devices, Execution, Models, place
from tasks.elsewhere import origin_of, videos_at
from tasks.placement import Placement
from tasks.store import check_writable

ASSOC_INFO = Path("scene-and-object-movements/assoc_info.json")
MASK_INFO = "mask_info.json"  # beside it
FAILURES = "failures.jsonl"
ReadAnnotations = Callable[[str, int, int, npt.NDArray[np.float64]], SparseAnnotations | None]
"""Video id, width, height and the frames' times to its annotations; None where the source knows no such video."""


@dataclass(frozen=True)
class Plan:
    """A checked set of parameters: everything that can be refused has been."""

    root: Path
    output: Path
    scene_graphs: Path
    videos: dict[str, Path | None]
    annotations: ReadAnnotations | None
    source: str
    text_prompt: str | None
    corrections: dict[str, VideoCorrections]
    models: Models
    detector: Backend[Detector] | None
    segmenter: Backend[VideoSegmenter]
    placement: Placement


@once_a_run(
    inputs=("assoc_info", "mask_info", "scene_graph_dir", "visor", "prompts", "corrections"),
    output_folders=("output_dir",),
)
def check(
    video_path: Path,
    video_id: Sequence[str] | None,
    assoc_info: Path | None,
    mask_info: Path | None,
    scene_graph_dir: Path,
    visor: Path | None,
    prompts: Path | None,
    text_prompt: str | None,
    corrections: Path | None,
    output_dir: Path,
    hold_out: float,
    windows: Windows,
    models: Models,
    devices: Devices,
    execution: Execution,
) -> Plan:
    """Check everything that can be checked before work begins. Raises `RefusedInput` with parameter, value, remedy."""
    found = _videos(video_path, list(dict.fromkeys(video_id or ())))
    overlap, duration = windows.window_overlap, windows.window_duration
    if overlap >= duration:
        raise RefusedInput.of("window_overlap", overlap, f"less than window_duration = {duration}")
    text = (text_prompt or "").strip() or None
    if text is not None and hold_out > 0:
        raise RefusedInput.of("hold_out", hold_out, "0 with a text prompt: there are no annotations to hold out")
    annotations, source = _annotations(assoc_info, mask_info, visor, prompts, text, found)
    corrected: dict[str, VideoCorrections] = {}
    if corrections is not None:
        corrected, unused = corrections_by_video(corrections, {one: str(path or one) for one, path in found.items()})
        source += f"; corrections {origin_of(corrections)}"
        source += f", without {keys_of(unused)}: no video is called so" if unused else ""
    finder, follower = models.choose(text)
    check_writable("output_dir", output_dir)
    placement = place(devices, execution)
    return Plan(
        video_path, output_dir, scene_graph_dir, found, annotations, source, text, corrected, models, finder, follower,
        placement,
    )  # fmt: skip


def _annotations(
    assoc_info: Path | None,
    mask_info: Path | None,
    visor: Path | None,
    prompts: Path | None,
    text: str | None,
    videos: Mapping[str, Path | None],
) -> tuple[ReadAnnotations | None, str]:
    """The one source of prompts, and what it is called."""
    hd_epic = assoc_info is not None or mask_info is not None
    given = [name for name, there in zip(("assoc_info", "visor", "prompts", "text_prompt"),
             (hd_epic, visor, prompts, text), strict=True) if there]  # fmt: skip
    if len(given) > 1:
        raise RefusedInput(f"annotations come from one source, and there are {len(given)}: {' and '.join(given)}")
    if text is not None:
        return None, f"text prompt {text!r}"
    if visor is not None:
        return Visor(visor).annotations, f"VISOR file {origin_of(visor)}"
    if prompts is not None:
        by_video, unused = prompts_by_video(prompts, {one: str(path or one) for one, path in videos.items()})
        source = f"prompts file {origin_of(prompts)}" + (
            f", without {keys_of(unused)}: no video is called so" if unused else ""
        )
        return lambda one, *_: from_prompts(by_video[one]) if one in by_video else None, source
    assoc = assoc_info or ASSOC_INFO
    masks = mask_info or assoc.with_name(MASK_INFO)
    if not hd_epic and not assoc.exists():
        accepted = "what to annotate, or prompts, visor, or assoc_info and mask_info instead"
        raise RefusedInput.of("text_prompt", None, f"{accepted} (there is no {assoc})")
    movements = HdEpic(assoc, masks)
    return lambda one, *_: movements.annotations(one), f"HD-EPIC {origin_of(assoc)}"


def _videos(path: Path, ids: Sequence[str]) -> dict[str, Path | None]:
    """The videos by their ids, those that are named or all that are there; None: there is no such video."""
    if not is_address(path) and not path.exists():
        raise RefusedInput.of("video_path", str(path), "a video, or a folder of videos: there is no such path")
    for one in ids:
        if slugify(one) != one:
            accepted = "letters, digits, '.', '_' and '-': it is part of the results' file names"
            raise RefusedInput.of("video_id", one, accepted)
    if is_address(path):
        return _videos_elsewhere(check_address("video_path", path), ids)
    if path.is_file() and len(ids) > 1:
        raise RefusedInput.of("video_path", str(path), "a folder, where there is more than one video_id")
    if ids:
        return {one: _find(path, one) for one in ids}
    there = [path] if path.is_file() or has_images(path) else files_of(path, VIDEO_SUFFIXES, deep=False)
    if not there:
        raise RefusedInput.of("video_path", str(path), "a folder with videos in it: there are none")
    names = distinct(slugify(one.stem if one.is_file() else one.name) for one in there)
    return dict(zip(names, there, strict=True))


def _videos_elsewhere(address: str, ids: Sequence[str]) -> dict[str, Path | None]:
    """The same of an address: a video, or a folder of videos."""
    try:
        videos = videos_at(address)
    except AddressError as error:
        raise RefusedInput.unusable("video_path", address, str(error)) from None
    names = distinct(slugify(Path(name_of(one)).stem) for one in videos)
    there: dict[str, Path | None] = {name: Path(one) for name, one in zip(names, videos, strict=True)}
    if videos == [address] and len(ids) == 1:
        return {ids[0]: Path(address)}
    return {one: there.get(one) for one in ids} if ids else there


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
