"""The parameters of `track_mask_points`, checked: everything that can be refused is, before any work begins."""

from dataclasses import dataclass
from pathlib import Path

from core.errors import MaskflowError, RefusedInput, reason_of
from core.formats.clip_npz import QUERY_POINTS, ClipHeader, contents, has_masks, read_header
from core.models.backend import Backend
from core.models.options import ModelOptions
from core.models.registry import POINT_TRACKERS
from core.models.roles import PointTracker
from core.points.limits import points_at_once
from core.points.settings import QuerySettings, SplitSettings
from core.store.npz import NpzReader
from core.store.paths import slugify
from flows.checking import once_a_run
from flows.options import Devices, Execution, place
from flows.track_mask_points.names import MAX_NAME
from flows.track_mask_points.options import Batching, Queries
from tasks.devices.slots import free_gpu_gib
from tasks.placement import Placement
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
        tracker, models: what tracks, and where its weights are.
        queries, split: how points are taken and split.
        placement: the hosts and devices.
    """

    npz: Path
    clips: list[Path]
    output: Path
    name: str
    stem: str
    tracker: Backend[PointTracker]
    models: ModelOptions
    queries: QuerySettings
    split: SplitSettings
    placement: Placement


@once_a_run(inputs=("npz", "instances_dir"), output_folders=("output_dir",))
def check(
    npz: Path,
    output_dir: Path,
    mask_key: str,
    tracker: str,
    base_name: str,
    depth_estimator: str,
    skip_split: bool,
    instances_dir: Path | None,
    model_path: Path | None,
    queries: Queries,
    batching: Batching,
    devices: Devices,
    execution: Execution,
) -> Plan:
    """Check everything that can be checked before work begins. Raises `RefusedInput` with parameter, value, remedy."""
    if slugify(base_name, max_bytes=MAX_NAME) != base_name:
        accepted = f"up to {MAX_NAME} letters, digits, '.', '_' and '-', as part of file names"
        raise RefusedInput.of("base_name", base_name, accepted)
    if queries.min_depth >= queries.max_depth:
        raise RefusedInput.of("min_depth", queries.min_depth, f"less than max_depth ({queries.max_depth:g})")
    if depth_estimator != "gt":
        raise RefusedInput.of("depth_estimator", depth_estimator, "gt: the clip brings its depth")
    clips = _clips(npz, skip_split, instances_dir)
    headers = [_check_clip("npz" if clip == npz else "instances_dir", clip, mask_key) for clip in clips]
    shapes = {(len(one.camera_ids), one.frames, one.rgb_size, one.depth_size) for one in headers}
    if len(shapes) > 1:
        raise RefusedInput.of("instances_dir", str(instances_dir), "files of one clip: these differ in size")
    models = ModelOptions(model_path=model_path)
    chosen = POINT_TRACKERS.choose(tracker, models)
    chosen.check(models)
    placement = place(devices, execution, chosen.uses_gpu)
    check_writable("output_dir", output_dir)
    taken = QuerySettings(
        frames_before=queries.frames_before,
        frames_after=queries.frames_after,
        use_first_frame=queries.use_first_frame,
        temporal_stride=queries.temporal_stride,
        min_depth_m=queries.min_depth,
        max_depth_m=queries.max_depth,
        max_points_per_frame=queries.max_points_per_frame,
        seed=queries.seed,
    )
    limit = batching.max_query_points_per_batch
    if limit == "auto":
        limit = points_at_once(chosen.name, free_gpu_gib(placement.slots()) if placement.cluster is None else None)
    support = _SUPPORT_POINTS if chosen.joint else 0
    split = SplitSettings(limit=limit, strategy=batching.batch_strategy, seed=queries.seed, support=support)
    stem = slugify(npz.stem, max_bytes=MAX_NAME)
    return Plan(npz, clips, output_dir, f"{base_name}_{chosen.name}", stem, chosen, models, taken, split, placement)


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
        return None  # reported when it is opened


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        reason = f"a folder ({reason_of(error)})"
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
        raise RefusedInput.of(parameter, str(clip), f"an NPZ file ({reason_of(error)})") from None
    except MaskflowError as error:
        raise RefusedInput.unusable(parameter, str(clip), str(error)) from None
