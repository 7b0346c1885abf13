"""Folders that are elsewhere: all files below an address, as a folder here."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath

from core.addresses.address import WEB, name_of, protocol_of
from core.addresses.cache import FetchCache
from core.addresses.fetching import Fetched, fetch
from core.addresses.remote import AddressError, NotThere, Remote, RemoteFile
from core.progress import Progress
from core.store.atomic import atomic_folder
from core.store.digests import sha256_json

_AT_ONCE = 8


def files_below(remote: Remote, address: str, deep: bool = True) -> dict[str, RemoteFile]:
    """All files below an address, or only those directly there, by their path from there.

    Raises `AddressError` where there are none.
    """
    if protocol_of(address) in WEB:  # which has no folders
        raise NotThere(f"{address}: there is no such file")
    root = address.rstrip("/") + "/"
    found = {one.address.removeprefix(root): one for one in remote.below(root) if one.address.startswith(root)}
    if not deep:
        found = {name: one for name, one in found.items() if "/" not in name}
    if not found:
        raise NotThere(f"{address}: there is nothing")
    for name in found:
        if ".." in PurePosixPath(name).parts or name.startswith("/"):
            raise AddressError(f"{address}: {name} would leave the folder")
    return found


def fetch_tree(cache: FetchCache, remote: Remote, address: str, report: Progress, deep: bool = True) -> Fetched:
    """Make sure that a folder is in the cache: its files, several at once; `report` gets files done and expected.

    With `deep`, those of folders below it, too.

    Its digest is that of the names and digests of its files. Raises `AddressError`.
    """
    found = files_below(remote, address, deep)
    names = sorted(found)
    with ThreadPoolExecutor(_AT_ONCE, "fetch") as threads:
        fetched: list[Fetched] = []
        try:
            one_by_one = threads.map(lambda name: fetch(cache, remote, found[name].address, _quiet), names)
            for done, one in enumerate(one_by_one, 1):
                fetched.append(one)
                report(done, len(names))
        except BaseException:
            threads.shutdown(cancel_futures=True)
            for one in fetched:
                cache.release(one.sha256)
            raise
    digest = f"tree-{sha256_json([[name, one.sha256] for name, one in zip(names, fetched, strict=True)])}"
    cache.use(digest)
    folder = cache.root / "objects" / digest / name_of(address)
    if not folder.is_dir():
        with atomic_folder(folder) as made:
            for name, one in zip(names, fetched, strict=True):
                (made / name).parent.mkdir(parents=True, exist_ok=True)
                os.link(one.path, made / name)
    for one in fetched:  # linked: they stay, whatever becomes of the single ones
        cache.release(one.sha256)
    os.utime(folder.parent)
    return Fetched(folder, digest)


def _quiet(done: int, expected: int | None) -> None:
    pass
