"""Fetching weights: resumed where it broke off, checked before it counts, in place all at once."""

import os
from collections.abc import Callable
from pathlib import Path

import httpx

from core.errors import MaskflowError
from core.store.digests import sha256_file
from core.store.lock import exclusive
from core.weights.catalogue import Weights, WeightsFile

_CHUNK_BYTES = 2**20
_SMALL_BYTES = 2**20  # a file of unknown size is no larger
_TIMEOUT_S = 60.0
Report = Callable[[int], None]


class DownloadFailed(MaskflowError):
    """Weights could not be fetched, or are not what they should be. What was fetched is kept for the next try."""


def check(file: WeightsFile, models: Path) -> str:
    """`ok`, `missing` or `damaged`: the file's state, by size and SHA-256."""
    path = models / file.path
    if not path.is_file():
        return "missing"
    if path.stat().st_size != (file.size_bytes or path.stat().st_size) or sha256_file(path) != file.sha256:
        return "damaged"
    return "ok"


def part_of(final: Path) -> Path:
    """Where a file's bytes are until it is whole."""
    return final.with_name(f".{final.name}.part")


def download(weights: Weights, file: WeightsFile, models: Path, mirror: str | None, report: Report) -> None:
    """Fetch one file into `models`.

    The bytes go to `.<name>.part`, which a later call goes on with; only whole and right does it get its name.

    Args:
        weights: what the file belongs to.
        file: which.
        models: the models folder.
        mirror: base address to take it from instead of its source, as `<mirror>/<path below models>`.
        report: gets the number of bytes that are there.

    Raises:
        DownloadFailed: with what to do about it.
    """
    final = models / file.path
    final.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(final)
    url = file.url if mirror is None else f"{mirror.rstrip('/')}/{file.path}"
    with exclusive(final):
        if check(file, models) == "ok":
            report(final.stat().st_size)
            return
        try:
            _fetch(url, part, file.size_bytes, request_headers(weights, url), report)
        except httpx.HTTPStatusError as error:
            if error.response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                part.unlink(missing_ok=True)
                raise DownloadFailed(f"{url}: is shorter than the published file; the part is removed") from None
            raise DownloadFailed(_refused(weights, url, error.response.status_code)) from None
        except httpx.InvalidURL as error:
            raise DownloadFailed(f"{url}: not an address ({error})") from None
        except (httpx.HTTPError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise DownloadFailed(f"{url}: {reason}; run the same command again to go on from there") from None
        _accept(file, url, part, final)


def _fetch(url: str, part: Path, size_bytes: int | None, headers: dict[str, str], report: Report) -> None:
    if size_bytes is None:  # small: from its start, and as long as it is
        part.unlink(missing_ok=True)
    there = part.stat().st_size if part.exists() else 0
    if size_bytes is not None and there >= size_bytes:
        return
    headers = {**headers, "Accept-Encoding": "identity"}  # bytes as they are, so that a range can be requested
    if there:
        headers["Range"] = f"bytes={there}-"
    with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=_TIMEOUT_S) as response:
        response.raise_for_status()
        resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
        there = there if resumed else 0
        length = response.headers.get("Content-Length")
        if length is not None and size_bytes is not None and there + int(length) != size_bytes:
            part.unlink(missing_ok=True)
            has = there + int(length)
            raise DownloadFailed(f"{url}: has {has:,} bytes, the published file {size_bytes:,}: not the published file")
        with part.open("ab" if resumed else "wb") as stream:
            for chunk in response.iter_bytes(_CHUNK_BYTES):
                there += len(chunk)
                most = _SMALL_BYTES if size_bytes is None else size_bytes
                if there > most:
                    part.unlink()
                    more = f"{url}: sends more than the {most:,} bytes published: not the published file, removed"
                    raise DownloadFailed(more)
                stream.write(chunk)
                report(there)
            stream.flush()
            os.fsync(stream.fileno())


def _accept(file: WeightsFile, url: str, part: Path, final: Path) -> None:
    there = part.stat().st_size
    if file.size_bytes is not None and there < file.size_bytes:
        raise DownloadFailed(f"{url}: ended after {there:,} of {file.size_bytes:,} bytes; run the same command again")
    digest = sha256_file(part)
    if digest != file.sha256:
        part.unlink()
        raise DownloadFailed(f"{url}: SHA-256 {digest} instead of {file.sha256}: not the published file, removed")
    part.replace(final)


def request_headers(weights: Weights, url: str) -> dict[str, str]:
    """The user's token, for the gated weights' own source alone: never to a mirror, nor unencrypted."""
    token = os.environ.get("HF_TOKEN", "").strip()
    if not weights.gated or not token or not url.startswith("https://huggingface.co/"):
        return {}
    if not token.isascii():
        raise DownloadFailed("HF_TOKEN is no token: it has characters beyond ASCII")
    return {"Authorization": f"Bearer {token}"}


def _refused(weights: Weights, url: str, status: int) -> str:
    if weights.gated and status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        page = url.partition("/resolve/")[0]
        return f"{url}: refused ({status}); accept the terms at {page}, then set HF_TOKEN to a token of that account"
    return f"{url}: the server answered {status}"
