"""The documented helpers around NPZ files, under their names: instances and batches as files of their own.

The flow itself keeps batches as indices and never copies a clip. These are for tools that want whole files: everything
in the input is copied as it is, without being opened.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from core.errors import BadMedia
from core.formats.clip_npz import QUERY_POINTS, contact_key, mask_stacks, plain_instances, read_contact_frames
from core.points.batching import Points, split_indices
from core.points.settings import Strategy
from core.store.atomic import atomic_file
from core.store.npz import NpzReader, NpzWriter
from core.store.paths import distinct, inside, slugify

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
    names = get_mask_instance_ids(npz_path, mask_key)
    labels = distinct(slugify(name, "instance") for name in names)
    return [_write_instance(npz_path, *one, Path(output_dir), mask_key) for one in zip(names, labels, strict=True)]


def create_single_instance_npz(
    npz_path: Path, instance_id: str, output_dir: Path, mask_key: str = "sam2_masks"
) -> Path:
    """The whole input with the masks of one instance only, in our layout. Raises `BadMedia` where it is not there."""
    return _write_instance(npz_path, instance_id, slugify(instance_id, "instance"), Path(output_dir), mask_key)


def _write_instance(npz_path: Path, name: str, label: str, output_dir: Path, mask_key: str) -> Path:
    source, contact = Path(npz_path), contact_key(mask_key)
    path = inside(output_dir, f"{slugify(source.stem)}_{label}.npz")
    with NpzReader(source) as npz, atomic_file(path) as temporary, NpzWriter(temporary) as out:
        masks = {member for member in npz.members if member == mask_key or member.startswith(f"{mask_key}/")}
        _copy(npz, out, set(npz.members) - masks - {contact, "instance_id", "original_file"})
        for found, shape, stack in mask_stacks(npz, mask_key):
            if found == name:
                out.blocks(f"{mask_key}/{name}", shape, np.bool_, (mask != 0 for mask in stack))
                break
        else:
            raise BadMedia(f"{source.name}: there is no {name!r} in {mask_key}")
        frames = read_contact_frames(npz, mask_key)
        if contact is not None and name in frames:
            out.array(contact, json.dumps({name: frames[name]}))
        out.array("instance_id", name)
        out.array("original_file", source.name)
    return path


def _copy(npz: NpzReader, out: NpzWriter, names: Iterable[str]) -> None:
    for name in sorted(names):
        with out.member(name) as stream:
            npz.copy(name, stream)
