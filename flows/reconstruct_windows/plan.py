"""The parameters of `reconstruct_windows`, checked: everything that can be refused is, before any work begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import MaskflowError, RefusedInput, reason_of
from core.formats.reference_poses import lost_poses, read_reference_poses
from core.models.backend import Backend
from core.models.colmap import COLMAP
from core.models.options import ModelOptions
from core.models.registry import RECONSTRUCTORS
from core.models.roles import WindowReconstructor
from core.video.image_file import SUFFIXES
from core.video.image_folder import image_files
from flows.checking import once_a_run
from flows.options import Devices, Execution, place
from flows.reconstruct_windows.options import Camera, Windows
from tasks.placement import Placement
from tasks.store import check_writable

_PLAIN_CAMERAS = ("SIMPLE_PINHOLE", "PINHOLE")


@dataclass(frozen=True)
class Plan:
    """A checked set of parameters: everything that can be refused has been.

    Attributes:
        source: the folder of images, or the video.
        images: in natural order; None for a video, whose frames are yet to be taken.
        output: folder for the results.
        mask_dir, reference: where given.
        backend: what reconstructs windows.
        models: where the backend's weights are.
        placement: the hosts and devices.
        notes: remarks on the input.
    """

    source: Path
    images: list[Path] | None
    output: Path
    mask_dir: Path | None
    reference: Path | None
    backend: Backend[WindowReconstructor]
    models: ModelOptions
    placement: Placement
    notes: Sequence[str] = ()


@once_a_run(inputs=("input_dir", "mask_dir", "reference_poses"), output_folders=("output_dir",))
def check(
    input_dir: Path,
    output_dir: Path,
    fps: float | None,
    backend: str,
    mask_dir: Path | None,
    reference_poses: Path | None,
    model_path: Path | None,
    windows: Windows,
    camera: Camera,
    devices: Devices,
    execution: Execution,
) -> Plan:
    """Check everything that can be checked before work begins. Raises `RefusedInput` with parameter, value, remedy."""
    images = _images(input_dir)
    if images is not None and fps is not None:
        raise RefusedInput.of("fps", fps, "only for a video; a folder's images are all used")
    stride, size = windows.window_stride, windows.window_size
    if stride > size:
        raise RefusedInput.of("window_stride", stride, f"at most window_size ({size}): frames would be lost")
    models = ModelOptions(model_path=model_path)
    chosen = RECONSTRUCTORS.choose(backend, models)
    chosen.check(models)
    if chosen is not COLMAP and camera.camera_type not in _PLAIN_CAMERAS:
        raise RefusedInput.of("camera_type", camera.camera_type, f"{chosen.name} knows {' and '.join(_PLAIN_CAMERAS)}")
    if mask_dir is not None and not mask_dir.is_dir():
        raise RefusedInput.of("mask_dir", str(mask_dir), "a folder with NAME.png for each image NAME")
    notes: list[str] = []
    if reference_poses is not None:
        try:
            notes = lost_poses(reference_poses.name, read_reference_poses(reference_poses))
        except MaskflowError as error:
            raise RefusedInput.unusable("reference_poses", str(reference_poses), str(error)) from None
    placement = place(devices, execution, chosen.uses_gpu)
    check_writable("output_dir", output_dir)
    return Plan(input_dir, images, output_dir, mask_dir, reference_poses, chosen, models, placement, notes)


def _images(source: Path) -> list[Path] | None:
    """The images of a folder; None for a video."""
    if source.is_file():
        if source.suffix.lower() in SUFFIXES:
            raise RefusedInput.of("input_dir", str(source), f"a folder of images: give {source.absolute().parent}")
        return None
    try:
        found = image_files(source)
    except OSError as error:
        reason = f"a folder of images, or a video ({reason_of(error)})"
        raise RefusedInput.of("input_dir", str(source), reason) from None
    if not found:
        raise RefusedInput.of("input_dir", str(source), f"no image in it ({', '.join(sorted(SUFFIXES))})")
    return found


def find_mask(folder: Path, image: str) -> Path | None:
    """The mask of an image: `NAME.png` after COLMAP's convention (`a.jpg.png`), or `a.png`."""
    for name in (f"{image}.png", f"{Path(image).stem}.png"):
        if (folder / name).is_file():
            return folder / name
    return None
