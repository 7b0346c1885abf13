"""The parameters of `track_mask_points`, checked: everything that can be refused is, before any work begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.errors import MaskflowError, RefusedInput
from core.formats.clip_npz import QUERY_POINTS, ClipHeader, contents, has_masks, read_header
from core.models.installed import POINT_TRACKERS, Installed, choose_installed
from core.points.limits import points_at_once
from core.points.settings import QuerySettings, SplitSettings, Strategy
from core.store.npz import NpzReader
from core.store.paths import slugify
from flows.track_mask_points.names import MAX_NAME
from tasks.devices.slots import free_gpu_gib
from tasks.devices.timeouts import Timeouts
from tasks.placement import Devices, choose_devices
from tasks.store import check_writable

_SUPPORT_POINTS = 64


@dataclass(frozen=True)
class Plan:
    """A checked set of parameters: everything that can be refused has been.

    Attributes:
        npz: the clip.
        clips: what to track in: the clip, or the files of single instances.
        output: folder for the results.
        name: what results are called: `BASE_TRACKER`.
        stem: what files of points are called after.
        tracker: what tracks.
        queries, split: how points are taken and split.
        devices: where.
    """

    npz: Path
    clips: list[Path]
    output: Path
    name: str
    stem: str
    tracker: Installed
    queries: QuerySettings
    split: SplitSettings
    devices: Devices


def check(
    npz: Path,
    output_dir: Path,
    mask_key: str,
    tracker: str,
    base_name: str,
    frames_before: int,
    frames_after: int,
    use_first_frame: bool,
    min_depth: float,
    max_depth: float,
    max_points_per_frame: int | None,
    temporal_stride: int,
    depth_estimator: str,
    max_query_points_per_batch: int | Literal["auto"] | None,
    batch_strategy: Strategy,
    seed: int,
    skip_split: bool,
    instances_dir: Path | None,
    model_path: Path | None,
    gpu_ids: Sequence[int] | None,
    num_workers: int | None,
    cluster: str | None,
    stall_timeout: float,
    item_timeout: float | None,
) -> Plan:
    """Check everything that can be checked before work begins. Raises `RefusedInput` with parameter, value, remedy."""
    if slugify(base_name, max_bytes=MAX_NAME) != base_name:
        accepted = f"up to {MAX_NAME} letters, digits, '.', '_' and '-', as part of file names"
        raise RefusedInput.of("base_name", base_name, accepted)
    if min_depth >= max_depth:
        raise RefusedInput.of("min_depth", min_depth, f"less than max_depth ({max_depth:g})")
    if depth_estimator != "gt":
        raise RefusedInput.of("depth_estimator", depth_estimator, "gt: the clip brings its depth")
    source = npz.expanduser()
    clips = _clips(source, skip_split, None if instances_dir is None else instances_dir.expanduser())
    headers = [_check_clip("npz" if clip == source else "instances_dir", clip, mask_key) for clip in clips]
    shapes = {(len(one.camera_ids), one.frames, one.rgb_size, one.depth_size) for one in headers}
    if len(shapes) > 1:
        raise RefusedInput.of("instances_dir", str(instances_dir), "files of one clip: these differ in size")
    chosen = choose_installed(
        "tracker", tracker, POINT_TRACKERS, None if model_path is None else model_path.expanduser()
    )
    timeouts = Timeouts(stall_timeout, item_timeout)
    devices = choose_devices(gpu_ids, num_workers, cluster, timeouts, chosen.uses_gpu)
    output = output_dir.expanduser()
    check_writable("output_dir", output)
    queries = QuerySettings(
        frames_before=frames_before,
        frames_after=frames_after,
        use_first_frame=use_first_frame,
        temporal_stride=temporal_stride,
        min_depth_m=min_depth,
        max_depth_m=max_depth,
        max_points_per_frame=max_points_per_frame,
        seed=seed,
    )
    limit = max_query_points_per_batch
    if limit == "auto":
        limit = points_at_once(chosen.name, free_gpu_gib(devices.slots()) if cluster is None else None)
    split = SplitSettings(
        limit=limit, strategy=batch_strategy, seed=seed, support=_SUPPORT_POINTS if chosen.uses_gpu else 0
    )
    stem = slugify(source.stem, max_bytes=MAX_NAME)
    return Plan(source, clips, output, f"{base_name}_{chosen.name}", stem, chosen, queries, split, devices)


def _clips(npz: Path, skip_split: bool, instances_dir: Path | None) -> list[Path]:
    if skip_split != (instances_dir is not None):
        given = "skip_split" if skip_split else "instances_dir"
        raise RefusedInput(f"{given} is not accepted alone: give --skip-split and --instances-dir together")
    if instances_dir is None:
        return [npz]
    prefixes = (f"{npz.stem}_", f"{slugify(npz.stem)}_")
    names = sorted(path.name for path in _listed(instances_dir) if path.suffix == ".npz")
    found = [instances_dir / name for name in names if name.startswith(prefixes) and not name.endswith("_query.npz")]
    found = [path for path in found if _original(path) in (None, npz.name)]
    if not found:
        raise RefusedInput.of("instances_dir", str(instances_dir), f"a folder with {prefixes[0]}INSTANCE.npz files")
    return found


def _original(path: Path) -> str | None:
    """The file that an instance's file was made from, where it says so."""
    try:
        with NpzReader(path) as reader:
            return str(reader.array("original_file", 10_000)) if "original_file" in reader.members else None
    except (MaskflowError, OSError):
        return None  # told when it is opened


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        reason = f"a folder ({(error.strerror or 'unreadable').lower()})"
        raise RefusedInput.of("instances_dir", str(folder), reason) from None


def _check_clip(parameter: str, clip: Path, mask_key: str) -> ClipHeader:
    try:
        with NpzReader(clip) as reader:
            header = read_header(reader)
            if not has_masks(reader, mask_key) and QUERY_POINTS not in reader.members:
                has = contents(reader)
                raise RefusedInput.of(
                    "mask_key", mask_key, f"{clip.name} has no such masks, nor query_points, but {has}"
                )
            return header
    except RefusedInput:
        raise
    except OSError as error:
        raise RefusedInput.of(parameter, str(clip), f"an NPZ file ({(error.strerror or str(error)).lower()})") from None
    except MaskflowError as error:
        raise RefusedInput(f"{parameter} cannot be used: {error}") from None
