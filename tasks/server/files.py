"""A read-only file server for what runs have made: reports, videos, recordings. `maskflow serve` runs it, in
`flows.label.hub`.

It gives out files of a few kinds that stand in `tasks.server.outputs`, to those who know the server's password, where
it has one.
"""

import base64
import secrets
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

_KINDS = {
    ".html": "text/html",
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".csv": "text/csv",
    ".txt": "text/plain",
    ".json": "application/json",
    ".jsonl": "text/plain",
    ".rrd": "application/octet-stream",
    ".ply": "application/octet-stream",
}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; media-src 'self'",
}
MINE = ["127.0.0.1", "localhost", "[::1]"]
"""What this machine is called by itself."""


def files_app(is_known: Callable[[Path], bool], password: str | None, hosts: list[str]) -> Starlette:
    """The application.

    Args:
        is_known: whether a file, by its resolved path, may be seen.
        password: `USER:PASSWORD`; None: none is needed.
        hosts: names that this server may be called by; other sites' names must not lead to it (DNS rebinding).
    """

    def show(request: Request) -> FileResponse:
        if password is not None and not _knows(request, password):
            raise HTTPException(401, headers={"WWW-Authenticate": 'Basic realm="maskflow"'})
        path = _seen(Path("/" + request.path_params["path"]), is_known)
        if path is None:
            raise HTTPException(404, "no run has made such a file, or it is not there any more")
        return FileResponse(path, media_type=_KINDS[path.suffix.lower()], headers=_HEADERS)

    middleware = [Middleware(TrustedHostMiddleware, allowed_hosts=hosts)]
    return Starlette(routes=[Route("/{path:path}", show, methods=["GET"])], middleware=middleware)


def _seen(wanted: Path, is_known: Callable[[Path], bool]) -> Path | None:
    """The file itself, where it may be seen."""
    try:
        path = wanted.resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        return None
    return path if path.suffix.lower() in _KINDS and path.is_file() and is_known(path) else None


def _knows(request: Request, password: str) -> bool:
    given = request.headers.get("Authorization", "")
    expected = "Basic " + base64.b64encode(password.encode()).decode()
    return secrets.compare_digest(given.encode(), expected.encode())
