"""Object storage and hubs, through fsspec: `s3://`, `gs://`, `az://`, `hf://`."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import fsspec

from core.addresses.address import protocol_of
from core.addresses.remote import AddressError, Changed, NotThere, RemoteFile
from core.addresses.wording import explained

T = TypeVar("T")
_PIECE = 8 * 2**20
_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "hf": "huggingface_hub"}
_OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {"config_kwargs": {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 3}}},
}
_MD5 = re.compile(r"[0-9a-f]{32}")


class ObjectStore:
    """A `Remote`, of one protocol."""

    def __init__(self, protocol: str) -> None:
        self._protocol = protocol
        try:
            self._files = fsspec.filesystem(protocol, use_listings_cache=False, **_OPTIONS.get(protocol, {}))
        except ImportError:
            package = _PACKAGES[protocol]
            raise AddressError(
                f"{protocol}:// needs the package {package}: pip install 'maskflow[{protocol}]'"
            ) from None
        except Exception as error:  # noqa: BLE001 - of credentials, in each library's own way
            raise explained(f"{protocol}://", error) from None

    def info(self, address: str) -> RemoteFile:
        """See `Remote.info`."""
        found = self._try(address, lambda: self._files.info(address))
        if found.get("type") == "directory":
            raise NotThere(f"{address}: there is no such object")
        return _file(address, found)

    def read(self, file: RemoteFile, start: int) -> Iterator[tuple[int, bytes]]:
        """See `Remote.read`."""
        size = file.size or 0
        while start < size:
            end = min(size, start + _PIECE)
            piece = self._piece(file.address, start, end)
            if len(piece) != end - start:  # it has become shorter
                raise Changed(f"{file.address}: it changed while it was read")
            yield start, piece
            start = end

    def _piece(self, address: str, start: int, end: int) -> bytes:
        return self._try(address, lambda: bytes(self._files.cat_file(address, start=start, end=end)))

    def below(self, folder: str) -> list[RemoteFile]:
        """See `Remote.below`."""
        try:
            return self._listed(self._try(folder, lambda: self._files.find(folder.rstrip("/"), detail=True)))
        except NotThere:
            return []

    def matching(self, pattern: str) -> list[RemoteFile]:
        """See `Remote.matching`."""
        return self._listed(self._try(pattern, lambda: self._files.glob(pattern, detail=True)))

    def _listed(self, found: dict[str, dict[str, Any]]) -> list[RemoteFile]:
        files = {self._address(name): one for name, one in found.items() if one.get("type") == "file"}
        return [_file(address, files[address]) for address in sorted(files)]

    def write(self, made: Path, address: str) -> None:
        """See `Remote.write`: an object appears when all of it is there."""
        self._try(address, lambda: self._files.put_file(str(made), address))

    def remove(self, address: str) -> None:
        """See `Remote.remove`."""
        try:
            self._try(address, lambda: self._files.rm_file(address))
        except NotThere:
            return

    def _address(self, name: str) -> str:
        return f"{self._protocol}://{name.partition('://')[2] or name}"

    def _try(self, address: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - each library has errors of its own
            raise explained(address, error) from None


def _file(address: str, found: dict[str, Any]) -> RemoteFile:
    tag = str(found.get("ETag") or found.get("etag") or found.get("md5Hash") or found.get("blob_id") or "").strip('"')
    size = found.get("size")
    # An S3 object that came in one piece and is not encrypted with a key of its own has its MD5 as ETag.
    md5 = tag if protocol_of(address) == "s3" and _MD5.fullmatch(tag) and not found.get("SSEKMSKeyId") else ""
    version = tag or str(found.get("mtime") or found.get("LastModified") or found.get("last_modified") or "")
    return RemoteFile(address, None if size is None else int(size), version, md5)
