"""The documented helpers around NPZ files, under their names: instances and batches as files of their own.

The flow itself keeps batches as indices and never copies a clip. These are for tools that want whole files: everything
in the input is copied as it is, without being opened.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from core.errors import BadMedia
from core.formats.clip_npz import QUERY_POINTS, mask_stacks, plain_instances
from core.points.batching import Points, split_indices
from core.points.settings import Strategy
from core.store.atomic import atomic_file
from core.store.npz import NpzReader, NpzWriter
from core.store.paths import inside, slugify

_BATCH = ("batch_index", "total_batches")


def split_query_points_into_batches(
    query_points: Points, max_points_per_batch: int, strategy: Strategy = "temporal", seed: int = 0
) -> list[Points]:
    """Points [N, 4] (frame, x, y, z) in batches of at most so many, see `core.points.batching`."""
    return [query_points[chosen] for chosen in split_indices(query_points, max_points_per_batch, strategy, seed)]


def create_batch_npzs(
    input_npz: Path, query_points_batches: Sequence[Points], output_dir: Path, base_name: str = "batch"
) -> list[Path]:
    """A copy of `input_npz` for each batch, as `BASE_batch_N.npz`, with its points, number and how many there are."""
    made = []
    with NpzReader(Path(input_npz)) as npz:
        for number, points in enumerate(query_points_batches):
            path = inside(Path(output_dir), f"{slugify(base_name)}_batch_{number}.npz")
            with atomic_file(path) as temporary, NpzWriter(temporary) as out:
                _copy(npz, out, set(npz.members) - {QUERY_POINTS, *_BATCH})
                out.array(QUERY_POINTS, points)
                out.array("batch_index", number)
                out.array("total_batches", len(query_points_batches))
            made.append(path)
    return made


def get_batch_info_from_npz(npz_path: Path) -> dict[str, int]:
    """`batch_index`, `total_batches` and `num_points` of a batch's file."""
    with NpzReader(Path(npz_path)) as npz:
        numbers = {name: int(npz.array(name)) for name in _BATCH}
        return {**numbers, "num_points": npz.header(QUERY_POINTS).shape[0]}


def verify_batch_npzs(batch_npzs: Sequence[Path], query_points: Points) -> None:
    """Check that batches' files hold these points, each exactly once. Raises `BadMedia` where they do not."""
    found = []
    for number, path in enumerate(batch_npzs):
        info = get_batch_info_from_npz(path)
        if (info["batch_index"], info["total_batches"]) != (number, len(batch_npzs)):
            raise BadMedia(f"{path}: batch {info['batch_index']} of {info['total_batches']}, expected is {number}")
        with NpzReader(Path(path)) as npz:
            found.append(npz.array(QUERY_POINTS))
    together = np.concatenate(found) if found else np.zeros((0, 4))
    if sorted(map(tuple, together.tolist())) != sorted(map(tuple, np.asarray(query_points).tolist())):
        raise BadMedia(f"{len(together)} points in {len(batch_npzs)} files are not the {len(query_points)} expected")


def get_mask_instance_ids(npz_path: Path, mask_key: str = "sam2_masks") -> list[str]:
    """Names of the instances, sorted."""
    with NpzReader(Path(npz_path)) as npz:
        names = plain_instances(npz, mask_key)
        return names or [name for name, _, _ in mask_stacks(npz, mask_key)]


def split_npz_by_instances(npz_path: Path, output_dir: Path, mask_key: str = "sam2_masks") -> list[Path]:
    """A file for each instance, as `STEM_INSTANCE.npz`: what `--skip-split --instances-dir` takes."""
    return [
        create_single_instance_npz(npz_path, name, output_dir, mask_key)
        for name in get_mask_instance_ids(npz_path, mask_key)
    ]


def create_single_instance_npz(
    npz_path: Path, instance_id: str, output_dir: Path, mask_key: str = "sam2_masks"
) -> Path:
    """The whole input with the masks of one instance only, in our layout. Raises `BadMedia` where it is not there."""
    source = Path(npz_path)
    contact = mask_key.replace("_masks", "_contact_frames")
    path = inside(Path(output_dir), f"{slugify(source.stem)}_{slugify(instance_id, 'instance')}.npz")
    with NpzReader(source) as npz, atomic_file(path) as temporary, NpzWriter(temporary) as out:
        written = {
            mask_key,
            contact,
            "instance_id",
            "original_file",
            *(f"{mask_key}/{n}" for n in plain_instances(npz, mask_key)),
        }
        _copy(npz, out, set(npz.members) - written)
        shape, masks = next(((s, m) for name, s, m in mask_stacks(npz, mask_key) if name == instance_id), (None, None))
        if shape is None or masks is None:
            raise BadMedia(f"{source.name}: there is no {instance_id!r} in {mask_key}")
        out.blocks(f"{mask_key}/{instance_id}", shape, np.bool_, (mask != 0 for mask in masks))
        if contact in npz.members:
            own = _contact(npz, contact).get(instance_id)
            out.array(contact, json.dumps({instance_id: own} if own is not None else {}))
        out.array("instance_id", instance_id)
        out.array("original_file", source.name)
    return path


def _contact(npz: NpzReader, name: str) -> dict[str, object]:
    content = npz.plain_object(name) if npz.header(name).objects else json.loads(str(npz.array(name)))
    if not isinstance(content, dict):
        raise BadMedia(f"{npz.path.name}: {name} is not {{instance: {{camera: frame}}}}")
    return content


def _copy(npz: NpzReader, out: NpzWriter, names: Iterable[str]) -> None:
    for name in sorted(names):
        with out.member(name) as stream:
            npz.copy(name, stream)
