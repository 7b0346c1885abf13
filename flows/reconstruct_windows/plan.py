"""The parameters of `reconstruct_windows`, checked: everything that can be refused is, before any work begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import MaskflowError, RefusedInput
from core.formats.reference_poses import lost_poses, read_reference_poses
from core.models.installed import RECONSTRUCTORS, Installed, choose_installed
from core.video.image_file import SUFFIXES
from core.video.image_folder import image_files
from tasks.devices.timeouts import Timeouts
from tasks.placement import Devices, choose_devices
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
        devices: where.
        notes: what is to be told of the input.
    """

    source: Path
    images: list[Path] | None
    output: Path
    mask_dir: Path | None
    reference: Path | None
    backend: Installed
    devices: Devices
    notes: Sequence[str] = ()


def check(
    input_dir: Path,
    output_dir: Path,
    window_size: int,
    window_stride: int,
    camera_type: str,
    backend: str,
    fps: float | None,
    mask_dir: Path | None,
    reference_poses: Path | None,
    model_path: Path | None,
    gpu_ids: Sequence[int] | None,
    num_workers: int | None,
    cluster: str | None,
    stall_timeout: float,
    item_timeout: float | None,
) -> Plan:
    """Check everything that can be checked before work begins. Raises `RefusedInput` with parameter, value, remedy."""
    source = input_dir.expanduser()
    images = _images(source)
    if images is not None and fps is not None:
        raise RefusedInput.of("fps", fps, "only for a video; a folder's images are all used")
    if window_stride > window_size:
        raise RefusedInput.of(
            "window_stride", window_stride, f"at most window_size ({window_size}): frames would be lost"
        )
    chosen = choose_installed(
        "backend", backend, RECONSTRUCTORS, None if model_path is None else model_path.expanduser()
    )
    if chosen.uses_gpu and camera_type not in _PLAIN_CAMERAS:
        raise RefusedInput.of("camera_type", camera_type, f"{chosen.name} knows {' and '.join(_PLAIN_CAMERAS)}")
    masks = None if mask_dir is None else mask_dir.expanduser()
    if masks is not None and not masks.is_dir():
        raise RefusedInput.of("mask_dir", str(mask_dir), "a folder with NAME.png for each image NAME")
    reference = None if reference_poses is None else reference_poses.expanduser()
    notes: list[str] = []
    if reference is not None:
        try:
            notes = lost_poses(reference.name, read_reference_poses(reference))
        except MaskflowError as error:
            raise RefusedInput(f"reference_poses cannot be used: {error}") from None
    timeouts = Timeouts(stall_timeout, item_timeout)
    devices = choose_devices(gpu_ids, num_workers, cluster, timeouts, chosen.uses_gpu)
    output = output_dir.expanduser()
    check_writable("output_dir", output)
    return Plan(source, images, output, masks, reference, chosen, devices, notes)


def _images(source: Path) -> list[Path] | None:
    """The images of a folder; None for a video."""
    if source.is_file():
        if source.suffix.lower() in SUFFIXES:
            raise RefusedInput.of("input_dir", str(source), f"a folder of images: give {source.absolute().parent}")
        return None
    try:
        found = image_files(source)
    except OSError as error:
        reason = f"a folder of images, or a video ({(error.strerror or 'unreadable').lower()})"
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
