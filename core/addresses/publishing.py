"""A run's items and outputs in object storage: found there by whoever goes on, delivered with their manifest last."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from core.addresses.address import joined
from core.addresses.remote import AddressError, NotThere, Pause, Remote, RemoteFile, again
from core.store.atomic import atomic_folder, write_text
from core.store.digests import DigestCache, sha256_json
from core.store.manifest import MANIFEST, Manifest

_STATE = ".maskflow"
_DELIVERED = "delivered.json"
_INPUTS = "inputs"


class RemoteState:
    """The items of a run below an output address, as `.maskflow/TASK/KEY/…`.

    Args:
        remote: where the address belongs.
        address: of the output folder.
        pause: waits between tries.
    """

    def __init__(self, remote: Remote, address: str, pause: Pause = time.sleep) -> None:
        self.address = address.rstrip("/")
        self._remote = remote
        self._pause = pause
        self._there: dict[str, set[str]] = {}
        self._inputs: dict[str, str] | None = None
        self._stale: set[tuple[str, str]] = set()
        self._listing = threading.Lock()

    def digest_of(self, file: RemoteFile) -> str | None:
        """The SHA-256 of an input at an address, in this version, where a run has read it before, on any machine."""
        if not file.version:
            return None
        if self._inputs is None:
            root = self._place(_INPUTS) + "/"
            found = again(lambda: self._remote.below(root), self._pause)
            self._inputs = dict(one.address.removeprefix(root).split("-", 1) for one in found if "-" in one.address)
        return self._inputs.get(_version_name(file))

    def note_digest(self, file: RemoteFile, digest: str) -> None:
        """Let other machines know the content of an input. One that cannot be written is only read again."""
        if self.digest_of(file) is None and file.version:
            with TemporaryDirectory() as folder, suppress(AddressError):
                empty = Path(folder) / "empty"
                empty.write_bytes(b"")
                self._remote.write(empty, self._place(_INPUTS, f"{_version_name(file)}-{digest}"))

    def known(self, task: str) -> set[str]:
        """The names of the folders of all items of a task that are there; listed once."""
        with self._listing:
            return self._list(task)

    def _list(self, task: str) -> set[str]:
        if task not in self._there:
            root = self._place(task) + "/"
            found = again(lambda: self._remote.below(root), self._pause)
            names = (one.address.removeprefix(root).split("/") for one in found)
            self._there[task] = {parts[0] for parts in names if len(parts) == 2 and parts[1] == MANIFEST}
        return self._there[task]

    def pull(self, task: str, folder: Path, look: bool = False) -> bool:
        """Bring an item's folder here, if it is there; whether it is. Raises `AddressError`.

        `look`: whatever was there when all were listed.
        """
        if not look and folder.name not in self.known(task):
            return False
        place = self._place(task, folder.name)
        try:
            text = again(lambda: self._bytes(joined(place, MANIFEST)), self._pause)
            manifest = Manifest.model_validate_json(text)
            with atomic_folder(folder) as made:
                for output in manifest.outputs:
                    file = made / output.name
                    if not file.resolve().is_relative_to(made.resolve()):
                        raise AddressError(f"{place}: {output.name} would leave the folder")
                    file.parent.mkdir(parents=True, exist_ok=True)
                    again(partial(self._read, joined(place, output.name), file), self._pause)
                (made / MANIFEST).write_bytes(text)
        except (NotThere, ValueError):  # not whole: it is made again
            self.forget(task, folder)
            return False
        self.known(task).add(folder.name)
        return True

    def push(self, task: str, folder: Path) -> None:
        """Deliver an item's folder, unless it is there already. Raises `AddressError`."""
        if folder.name in self.known(task):
            return
        place = self._place(task, folder.name)
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
        if self._replaces(task, folder.name):  # no manifest stands over files of two versions
            again(partial(self._remote.remove, joined(place, MANIFEST)), self._pause)
        for name in [*(output.name for output in manifest.outputs), MANIFEST]:
            again(partial(self._remote.write, folder / name, joined(place, name)), self._pause)
        self._there[task].add(folder.name)
        self._stale.discard((task, folder.name))

    def forget(self, task: str, folder: Path) -> None:
        """An item is to be made and delivered anew, whatever is there of it."""
        if folder.name in self.known(task):
            self._stale.add((task, folder.name))
            self.known(task).discard(folder.name)

    def _replaces(self, task: str, name: str) -> bool:
        return (task, name) in self._stale

    def _place(self, *names: str) -> str:
        return joined(self.address, _STATE, *names)

    def _bytes(self, address: str) -> bytes:
        return b"".join(piece for _, piece in self._remote.read(self._remote.info(address), 0))

    def _read(self, address: str, file: Path) -> None:
        with file.open("wb") as stream:
            for _, piece in self._remote.read(self._remote.info(address), 0):
                stream.write(piece)


def check_writable_address(remote: Remote, address: str) -> None:
    """Make sure that something can be written below an address. Raises `AddressError`."""
    with TemporaryDirectory() as folder:
        probe = Path(folder) / "probe"
        probe.write_bytes(b"")
        place = joined(address, _STATE, f"probe-{uuid4().hex}")
        again(partial(remote.write, probe, place), time.sleep)
        again(partial(remote.remove, place), time.sleep)


def deliver_folder(
    remote: Remote, address: str, folder: Path, digests: DigestCache, pause: Pause = time.sleep
) -> dict[str, str]:
    """Make the files at an address those of a folder here: what is there already is left, what is no more there goes.

    Args:
        remote: where the address belongs.
        address: of the output folder.
        folder: its mirror; hidden files stay here.
        digests: of the run.
        pause: waits between tries.

    Returns:
        The reason for each file that could not be delivered. What names it is delivered nevertheless: it says what is
        made, and the next run tries again.
    """
    own_list = folder / _STATE / _DELIVERED
    own, shared = _names(_text_of(own_list)), _delivered(remote, address, pause)
    there = {one.address for one in again(lambda: remote.below(address), pause)}
    # Those in the folder itself name those below it: they come last.
    names = sorted(_visible(folder), key=lambda name: (-name.count("/"), name))
    now, failed = dict(own), {}
    for name in names:
        digest = digests.file(folder / name)
        if shared.get(name) != digest or joined(address, name) not in there:
            try:
                again(partial(remote.write, folder / name, joined(address, name)), pause)
            except AddressError as error:
                failed[name] = str(error)
                continue
        now[name] = digest
    gone = set(own) - set(names)  # what this machine has delivered: others may have delivered there, too
    for name in gone:
        try:
            again(partial(remote.remove, joined(address, name)), pause)
            del now[name]
        except AddressError as error:
            failed[name] = str(error)
    write_text(own_list, _as_text(now))
    merged = {name: digest for name, digest in {**shared, **now}.items() if name not in gone or name in failed}
    if merged != shared:
        with TemporaryDirectory() as place:
            made = Path(place) / _DELIVERED
            made.write_text(_as_text(merged), encoding="utf-8")
            try:
                again(partial(remote.write, made, joined(address, _STATE, _DELIVERED)), pause)
            except AddressError as error:
                failed[_DELIVERED] = str(error)
    return failed


def _delivered(remote: Remote, address: str, pause: Pause) -> dict[str, str]:
    """What runs have delivered there, from any machine, by name: its SHA-256."""
    place = joined(address, _STATE, _DELIVERED)
    try:
        return _names(again(lambda: b"".join(piece for _, piece in remote.read(remote.info(place), 0)), pause))
    except NotThere:
        return {}


def _text_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _names(text: bytes) -> dict[str, str]:
    try:
        return {str(name): str(digest) for name, digest in json.loads(text).items()}
    except (ValueError, AttributeError):
        return {}


def _as_text(delivered: dict[str, str]) -> str:
    return json.dumps(delivered, indent=0, sort_keys=True) + "\n"


def _visible(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            yield name.as_posix()


def _version_name(file: RemoteFile) -> str:
    return sha256_json([file.address, file.version, file.size])[:32]
