"""Reading inputs for their digests: several at once, shown like work, while what is known already runs."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from core.progress import Progress
from core.store.digests import DigestCache
from tasks.items import Item
from tasks.preparing import Prepare
from tasks.reporting.progress import StageProgress


def read_content(digests: DigestCache, name: str) -> Prepare:
    """Completes an item's inputs: under `name` the digest of what its request calls so."""

    def prepare(item: Item, report: Progress) -> Item:
        content = digests.content(Path(item.request[name]), report)
        return replace(item, inputs={**item.inputs, name: content})

    return prepare


def read_files(digests: DigestCache, paths: Iterable[Path]) -> None:
    """Learn the digests of many files before items are made of them."""
    files = list(paths)
    progress = StageProgress("read inputs", float(len(files)), len(files))
    progress.known("files", "files", float(len(files)))

    def report(done: int, expected: int | None) -> None:
        progress.frames("files", done, expected)
        progress.show()

    digests.read(files, report)
    progress.finished("files")
    progress.show(last=True)


def media_bytes(path: Path) -> int:
    """Size of a video, or of a folder of images: what it costs, roughly.

    Raises:
        OSError: it is not there, or neither a file nor a folder; `strerror` says so.
    """
    if path.is_symlink() and not path.exists():
        raise OSError(0, f"a link to what does not exist ({path.readlink()})")
    if path.is_dir():
        return sum(one.stat().st_size for one in path.iterdir() if one.is_file())
    if path.exists() and not path.is_file():
        raise OSError(0, "not a regular file")
    return path.stat().st_size
