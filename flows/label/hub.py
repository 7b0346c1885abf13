"""What `maskflow serve` shows beside Prefect's UI: the files that runs made, and for results the page to correct them.

`/label/open?results=PATH` opens results that a run of this machine has made; everything else is `tasks.server.files`.
"""

import argparse
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Lock

import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from core.errors import MaskflowError
from core.formats.run_command import read_command
from core.text import one_line
from flows.label.app import label_app
from flows.label.guard import App, Guard, Message, Receive, Send
from flows.label.session import Places, Session, open_session, videos_of
from tasks.server.address import is_loopback, server_password
from tasks.server.files import MINE, files_app
from tasks.server.outputs import LABEL, is_output, noted_as, output_noted_as

_PREFIX = f"/{LABEL}/"


class Hub:
    """An ASGI application that opens a page for each file of results, when somebody wants it.

    Args:
        files: serves everything else.
        guarded: puts a guard around a page.
    """

    def __init__(self, files: App, guarded: Callable[[App], App]) -> None:
        self._files = files
        self._guarded = guarded
        self._pages: dict[str, App] = {}
        self._sessions: list[Session] = []
        self._opening = Lock()
        self._open = guarded(self._find)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve a request."""
        path = str(scope.get("path", ""))
        if scope["type"] != "http" or not path.startswith(_PREFIX):
            await self._files(scope, receive, send)
            return
        key = path.removeprefix(_PREFIX).partition("/")[0]
        if key == "open":
            await self._open(scope, receive, send)
            return
        page = self._pages.get(key)
        if page is None:
            page = await run_in_threadpool(self._page, key)
        await page({**scope, "root_path": f"{scope.get('root_path', '')}{_PREFIX}{key}"}, receive, send)

    async def _find(self, scope: Message, receive: Receive, send: Send) -> None:
        wanted = Path(Request(scope).query_params.get("results", ""))
        answer: Response = RedirectResponse(f"{_PREFIX}{noted_as(wanted.resolve())}/", 303)
        if not is_output(wanted.resolve()):
            answer = PlainTextResponse("no run of this machine has made these results", 404)
        await answer(scope, receive, send)

    def _page(self, key: str) -> App:
        """The page for results, by what they are noted as."""
        with self._opening:
            return self._pages.get(key) or self._opened(key)

    def _opened(self, key: str) -> App:
        results = output_noted_as(key)
        if results is None or read_command(results) is None:
            return self._guarded(
                PlainTextResponse("no run has made these results, or they are not there any more", 404)
            )
        try:
            session = open_session(videos_of(results), Places.beside(results))
        except MaskflowError as error:
            return self._guarded(PlainTextResponse(one_line(str(error)), 422))
        self._sessions.append(session)
        self._pages[key] = page = self._guarded(label_app(session))
        return page

    def close(self) -> None:
        """Close all videos."""
        for session in self._sessions:
            session.close()


def hub(password: str | None, hosts: list[str] | None) -> Hub:
    """The application. `hosts`: names that it may be called by; None: any."""
    files = files_app(is_output, password, hosts or ["*"])
    known = None if hosts is None else frozenset(host.strip("[]") for host in hosts)
    return Hub(files, lambda app: Guard(app, None, known, password))


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    hosts = [*MINE, given.host] if is_loopback(given.host) else None  # others than this machine's have a password
    with closing(hub(server_password(), hosts)) as app:
        uvicorn.run(app, host=given.host, port=given.port, log_level="warning", lifespan="off")


if __name__ == "__main__":
    main()
