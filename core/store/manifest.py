"""An item's manifest: what was made, from what, and the digest of every output.

The outputs of an item live in one folder, committed together with `manifest.json`. A folder counts as done only
while its manifest names the expected key and every output is there, unaltered.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from core.store.atomic import atomic_folder
from core.store.digests import sha256_file

MANIFEST = "manifest.json"


class OutputFile(BaseModel):
    """One output: `name` relative to the item's folder, `size` in bytes, `sha256` in hex."""

    model_config = ConfigDict(frozen=True)
    name: str
    size: int
    sha256: str


class Manifest(BaseModel):
    """What one item made. `record` is the item's own JSON-able account (counts, timings, warnings)."""

    model_config = ConfigDict(frozen=True)
    key: str
    inputs: dict[str, Any]
    outputs: list[OutputFile]
    record: dict[str, Any]


@dataclass
class Draft:
    """An item being made: write outputs into `folder`, and what there is to say into `record`."""

    folder: Path
    record: dict[str, Any] = field(default_factory=dict)


def begun_folder(folder: Path) -> Path:
    """Where an item that is not finished keeps what it goes on from after a kill, beside its own folder."""
    return folder.with_name(f"{folder.name}.begun")


@contextmanager
def commit_item(folder: Path, key: str, inputs: Mapping[str, Any]) -> Iterator[Draft]:
    """Fill an item's folder; it becomes visible together with its manifest, or not at all."""
    with atomic_folder(folder) as temporary:
        draft = Draft(temporary)
        yield draft
        outputs = [
            OutputFile(name=path.relative_to(temporary).as_posix(), size=path.stat().st_size, sha256=sha256_file(path))
            for path in sorted(temporary.rglob("*"))
            if path.is_file()
        ]
        manifest = Manifest(key=key, inputs=dict(inputs), outputs=outputs, record=draft.record)
        (temporary / MANIFEST).write_text(manifest.model_dump_json(indent=1))


def read_valid(folder: Path, key: str, digest: Callable[[Path], str] = sha256_file) -> Manifest | None:
    """The folder's manifest if it is for `key` and every output is there with the size and digest it names.

    Args:
        folder: the item's folder.
        key: the cache key the manifest must carry.
        digest: how to get a file's SHA-256; pass `DigestCache.file` to skip files that have not changed.
    """
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
        if manifest.key != key:
            return None
        for output in manifest.outputs:
            path = folder / output.name
            if path.stat().st_size != output.size or digest(path) != output.sha256:
                return None
    except (OSError, ValidationError):
        return None
    return manifest
