"""`maskflow rgbd-to-clip`: RGB-D folders and masks to a clip for `track-mask-points`."""

from pathlib import Path

from rich.progress import Progress

from core.errors import RefusedInput
from core.points.convert import CameraFiles, convert_rgbd
from flows.cli.console import open_console
from flows.cli.paths import HomePath


def rgbd_to_clip(
    input_dir: list[HomePath],
    *,
    output: HomePath,
    intrinsics: list[HomePath],
    depth_intrinsics: list[HomePath] | None = None,
    masks: list[HomePath] | None = None,
    depth_units_per_m: float = 1000.0,
) -> int:
    """Make a clip for `maskflow track-mask-points` from RGB-D folders, one a camera.

    A folder has NAME.color.jpg, NAME.depth.png (16 bits) and NAME.pose.txt (4x4, world-from-camera), or these as
    color/NAME.jpg, depth/NAME.png, pose/NAME.txt.

    Args:
        input_dir: one folder for each camera, one after the other, with the same number of frames each.
        output: the NPZ file to make.
        intrinsics: text file with the 3x3 matrix of the colour images; one for all cameras, or one for each.
        depth_intrinsics: of the depth images, where these are not registered to the colour images; left out, they are
            taken to be, which a Kinect's raw ones are not.
        masks: for each camera a folder of id maps NAME.png (ids from 1 up are instances), or the results.jsonl of
            `maskflow track-videos --masks` on its colour images, whose labels name the instances.
        depth_units_per_m: what depth images count: 1000 are millimetres.
    """
    if depth_units_per_m <= 0:
        raise RefusedInput.of("depth_units_per_m", depth_units_per_m, "more than 0")
    if output.suffix != ".npz":
        raise RefusedInput.of("output", str(output), "a path that ends in .npz")
    for folder in input_dir:
        if not folder.is_dir():
            raise RefusedInput.of("input_dir", str(folder), "a folder of frames")
    lenses = _each("intrinsics", intrinsics, len(input_dir))
    depth_lenses = _each("depth_intrinsics", depth_intrinsics or [], len(input_dir))
    maps = _each("masks", masks or [], len(input_dir), shared=False)
    cameras = [CameraFiles(*files) for files in zip(input_dir, lenses, depth_lenses, maps, strict=True)]  # type: ignore[arg-type]
    with Progress(console=open_console(stderr=True)) as progress:
        bar = progress.add_task(output.name)
        names, lost = convert_rgbd(
            cameras,
            output,
            depth_units_per_m,
            lambda done, all_: progress.update(bar, completed=done, total=all_),
        )
    cameras_text = f"{len(cameras)} camera{'s' if len(cameras) > 1 else ''}"
    instances = (
        f"{len(names)} instances: {', '.join(names[:10])}{' …' if len(names) > 10 else ''}" if names else "no masks"
    )
    without = f"; {lost} frames without a pose were left out" if lost else ""
    open_console().print(f"{output}: {cameras_text}, {instances}{without}", highlight=False, markup=False)
    return 0


def _each(parameter: str, paths: list[Path], cameras: int, shared: bool = True) -> list[Path | None]:
    """A path for each camera: its own, or the only one."""
    if not paths:
        return [None] * cameras
    if len(paths) == 1 and shared:
        return [paths[0]] * cameras
    if len(paths) != cameras:
        raise RefusedInput.of(parameter, [str(path) for path in paths], f"one for each of the {cameras} cameras")
    return list(paths)
