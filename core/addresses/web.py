"""The web: `https://`, read with ranges where the server knows them.

A redirect leads only to another https:// address, and no address to a host of a private network: a list of videos that
somebody else wrote must not reach what only this machine can. `MASKFLOW_TRUSTED_HOSTS` names hosts (with their port,
where it is not the usual one) for which neither counts, as `nas.local,127.0.0.1:8000`.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import httpx

from core.addresses.address import WEB
from core.addresses.remote import AddressError, Changed, Interrupted, NotThere, RemoteFile
from core.addresses.wording import explained

TRUSTED = "MASKFLOW_TRUSTED_HOSTS"
_MOST_REDIRECTS = 5
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_NO_HEAD = frozenset({400, 403, 405, 501})
_UNPACKED = {"Accept-Encoding": "identity"}  # lengths and ranges are those of the file


class Web:
    """A `Remote` that can only be read."""

    def __init__(self) -> None:
        self._client = httpx.Client(timeout=_TIMEOUT, follow_redirects=False)

    def info(self, address: str) -> RemoteFile:
        """See `Remote.info`."""
        try:
            with self._answer("HEAD", address, {}) as answer:
                return _described(address, answer)
        except _Refused as refused:
            if refused.status not in _NO_HEAD:
                raise
        with self._answer("GET", address, {"Range": "bytes=0-0"}) as answer:
            return _described(address, answer)

    def read(self, file: RemoteFile, start: int) -> Iterator[tuple[int, bytes]]:
        """See `Remote.read`."""
        asked = {"Range": f"bytes={start}-"} if start else {}
        if start and file.version:
            asked["If-Range"] = file.version
        with self._answer("GET", file.address, asked) as answer:
            if file.version and (now := _version(answer)) and now != file.version:
                raise Changed(f"{file.address}: it changed while it was read")
            place = start if answer.status_code == httpx.codes.PARTIAL_CONTENT else 0
            try:
                for piece in answer.iter_raw():
                    yield place, piece
                    place += len(piece)
            except httpx.HTTPError as error:
                raise Interrupted(f"{file.address}: {error or type(error).__name__}") from None

    def files(self, pattern: str) -> list[RemoteFile]:
        """See `Remote.files`: the web has no folders."""
        raise AddressError(f"{pattern}: the web has no folders and patterns; name each file")

    def write(self, made: Path, address: str) -> None:
        """See `Remote.write`."""
        raise AddressError(f"{address}: the web can only be read ({made.name} was to be written)")

    def remove(self, address: str) -> None:
        """See `Remote.remove`."""
        raise AddressError(f"{address}: the web can only be read")

    @contextmanager
    def _answer(self, method: str, address: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """The answer after all redirects."""
        url = httpx.URL(address)
        for _ in range(_MOST_REDIRECTS + 1):
            _check_host(address, url)
            request = self._client.build_request(method, url, headers=_UNPACKED | headers)
            try:
                answer = self._client.send(request, stream=True)
            except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
                raise Interrupted(f"{address}: {error or type(error).__name__}") from None
            try:
                if answer.is_redirect:
                    url = url.join(answer.headers["location"])
                    continue
                _check_status(address, answer)
                yield answer
                return
            finally:
                answer.close()
        raise AddressError(f"{address}: more than {_MOST_REDIRECTS} redirects")


class _Refused(AddressError):
    """The server's answer is no."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def _check_status(address: str, answer: httpx.Response) -> None:
    status = answer.status_code
    if answer.is_success:
        return
    if status in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
        raise NotThere(f"{address}: there is no such file (HTTP {status})")
    if status >= 500 or status in (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS):
        raise Interrupted(f"{address}: the server has a fault (HTTP {status})")
    if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise Changed(f"{address}: it has become shorter")
    raise _Refused(str(explained(address, PermissionError(f"HTTP {status}"))), status)


def _described(address: str, answer: httpx.Response) -> RemoteFile:
    total = answer.headers.get("content-range", "").rpartition("/")[2] or answer.headers.get("content-length", "")
    return RemoteFile(address, int(total) if total.isdigit() else None, _version(answer))


def _version(answer: httpx.Response) -> str:
    """Something that tells that a file is the same; a weak ETag does not."""
    tag = str(answer.headers.get("etag", ""))
    return tag if tag and not tag.startswith("W/") else str(answer.headers.get("last-modified", ""))


def _check_host(address: str, url: httpx.URL) -> None:
    """Raises `AddressError` for a host that may not be asked."""
    port = f":{url.port}" if url.port else ""
    if f"{url.host}{port}" in os.environ.get(TRUSTED, "").replace(" ", "").split(",") and url.scheme in WEB:
        return
    it = "it leads to" if url != httpx.URL(address) else "it is"
    if url.scheme != "https":
        raise AddressError(f"{address}: {it} a {url.scheme}:// address; only https:// is followed, see {TRUSTED}")
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)}
    except OSError as error:
        raise Interrupted(f"{address}: {url.host} cannot be found ({error.strerror or error})") from None
    if not all(ip_address(one.partition("%")[0]).is_global for one in found):
        raise AddressError(f"{address}: {it} an address of a private network; see {TRUSTED}")
