"""The web: `https://`, read with ranges where the server knows them.

A redirect leads only to another https:// address, and no address to a host of a private network: a list of videos that
somebody else wrote must not reach what only this machine can. `MASKFLOW_TRUSTED_HOSTS` names hosts (with their port,
where it is not the usual one) for which neither counts, as `nas.local,127.0.0.1:8000`.
"""

import os
import socket
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import httpx

from core.addresses.address import WEB
from core.addresses.remote import AddressError, Changed, Interrupted, NotThere, RemoteFile
from core.addresses.wording import explained
from core.errors import reason_of

TRUSTED = "MASKFLOW_TRUSTED_HOSTS"
_MOST_REDIRECTS = 5
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_FORBIDDEN = frozenset({402, 403, 407, 451})
_NO_HEAD = frozenset({400, 403, 405, 501})
_UNPACKED = {"Accept-Encoding": "identity"}  # lengths and ranges are those of the file


class Web:
    """A `Remote` that can only be read."""

    def __init__(self) -> None:
        netrc = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
        auth = httpx.NetRCAuth(str(netrc)) if netrc.is_file() else None
        self._client = httpx.Client(timeout=_TIMEOUT, follow_redirects=False, auth=auth)
        weakref.finalize(self, self._client.close)

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

    def below(self, folder: str) -> list[RemoteFile]:
        """See `Remote.below`: the web has no folders."""
        raise NotThere(f"{folder}: there is no such file")

    def matching(self, pattern: str) -> list[RemoteFile]:
        """See `Remote.matching`: the web has no patterns."""
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
        url = _url(address, address)
        for _ in range(_MOST_REDIRECTS + 1):
            _check_host(address, url)
            request = self._client.build_request(method, url, headers=_UNPACKED | headers)
            try:
                answer = self._client.send(request, stream=True)
            except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
                raise Interrupted(f"{address}: {error or type(error).__name__}") from None
            try:
                if answer.has_redirect_location:
                    url = _url(address, answer.headers["location"], url)
                    continue
                _check_status(address, answer)
                yield answer
                return
            finally:
                answer.close()
        raise AddressError(f"{address}: more than {_MOST_REDIRECTS} redirects")


def _url(address: str, text: str, base: httpx.URL | None = None) -> httpx.URL:
    """Raises `AddressError` for what is none."""
    try:
        url = httpx.URL(text) if base is None else base.join(text)
        url.host.encode("idna")
        return url
    except (httpx.InvalidURL, ValueError) as error:  # UnicodeError is one
        raise AddressError(f"{address}: it {'is' if base is None else 'leads to'} no address ({error})") from None


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
    kind = "Unauthorized" if status == httpx.codes.UNAUTHORIZED else "Forbidden" if status in _FORBIDDEN else ""
    raise _Refused(str(explained(address, OSError(f"{kind} HTTP status {status}".strip()))), status)


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
    except (OSError, UnicodeError) as error:
        raise Interrupted(f"{address}: {url.host} cannot be found ({reason_of(error)})") from None
    if not all(ip_address(one.partition("%")[0]).is_global for one in found):
        raise AddressError(f"{address}: {it} an address of a private network; see {TRUSTED}")
