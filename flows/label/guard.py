"""Who may use the page: those with its token, from its own address; others, and other sites, may not.

The token stands in the printed address; the page keeps it in a cookie that no other site can send along.
"""

import base64
import os
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MOST_BYTES = 16 * 2**20
"""Of what a browser may send: a painted mask is the largest."""
_TOKEN_BYTES = 24
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class Guard:
    """An ASGI application around another.

    Args:
        app: what is guarded.
        token: whoever has it may use it; None: everybody may.
        hosts: names, without port, that the page may be called by (against DNS rebinding); None: any.
        password: `USER:PASSWORD` that is needed besides; None: none.
    """

    def __init__(self, app: App, token: str | None, hosts: frozenset[str] | None, password: str | None) -> None:
        self._app = app
        self._token = token
        self._hosts = hosts
        self._password = password

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        answer = self._answer(Request(scope))
        if answer is not None:
            answer.headers.update(_HEADERS)
            await answer(scope, receive, send)
            return
        await self._app(scope, _bounded(receive), _with_headers(send))

    def _answer(self, request: Request) -> Response | None:
        """What a request gets instead of what it wants; None: it may have it."""
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname
        if self._hosts is not None and host not in self._hosts:
            return PlainTextResponse("this page is not called so", 421)
        if int(request.headers.get("content-length") or 0) > MOST_BYTES:
            return PlainTextResponse(f"more than {MOST_BYTES:,} bytes", 413)
        if self._password is not None and not _equal(_basic(request), self._password):
            return PlainTextResponse("a password is needed", 401, {"WWW-Authenticate": 'Basic realm="maskflow"'})
        if self._token is not None and (answer := _without_token(request, self._token)) is not None:
            return answer
        origin = request.headers.get("origin")
        if request.method != "GET" and origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            return PlainTextResponse("another site's page may change nothing here", 403)
        return None


def _without_token(request: Request, token: str) -> Response | None:
    """What a request gets that does not know the token yet; None: it does."""
    given = parse_qs(request.url.query).get("token", [""])[0]
    if request.url.path == "/" and _equal(given, token):
        page = RedirectResponse("/", 303)
        page.set_cookie(_cookie(request), token, httponly=True, samesite="strict")
        return page
    if not _equal(request.cookies.get(_cookie(request), ""), token):
        return PlainTextResponse("open the address that `maskflow label` printed, with its token", 403)
    return None


def _cookie(request: Request) -> str:
    """Its name: browsers do not tell ports of a host apart, and there may be other pages."""
    return f"maskflow_label_{request.url.port or 0}"


def kept_token(path: Path) -> str:
    """The token of a page, the same each time it is started: what is open in a browser goes on after a restart.

    It is made where there is none, in a file that nobody else can read.
    """
    try:
        known = path.read_text(encoding="ascii").strip()
        if len(known) >= _TOKEN_BYTES and path.stat().st_mode & 0o077 == 0:
            return known
    except (OSError, UnicodeDecodeError):
        pass
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(token)
    return token


def _basic(request: Request) -> str:
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    try:
        return base64.b64decode(given).decode() if kind.lower() == "basic" else ""
    except ValueError:
        return ""


def _equal(given: str, expected: str) -> bool:
    return secrets.compare_digest(given.encode(), expected.encode())


def _bounded(receive: Receive) -> Receive:
    """Also where no length was announced."""
    read = 0

    async def bounded() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        return {"type": "http.disconnect"} if read > MOST_BYTES else message

    return bounded


def _with_headers(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            known = {name.lower() for name, _ in message.get("headers", ())}
            more = [(k.lower().encode(), v.encode()) for k, v in _HEADERS.items() if k.lower().encode() not in known]
            message["headers"] = [*message.get("headers", ()), *more]
        await send(message)

    return with_headers
