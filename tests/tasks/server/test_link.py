"""A server that dies, hangs, is busy, or comes back: calls end in time, and what waits is recorded in the end."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, get_current_settings, temporary_settings

from tasks.server import link as link_module
from tasks.server.link import NoAnswer, ServerLink


class _Server(ThreadingHTTPServer):
    """Answers /hello with `status`, after those in `first`, once `ready` is set; counts requests."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        self.status = 200
        self.first: list[int] = []
        self.ready = threading.Event()
        self.ready.set()
        self.heard: list[str] = []
        super().__init__(("127.0.0.1", 0), _Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Answer(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        hello = self.path.endswith("/hello")  # and not the link's own watch
        if hello:
            self.server.heard.append(self.path)
        self.server.ready.wait(20)
        self.send_response(self.server.first.pop(0) if hello and self.server.first else self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server() as server:
        yield server
        server.ready.set()
        server.shutdown()


@pytest.fixture
def link(server: _Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerLink]:
    for name, seconds in (("_ANSWERS_WITHIN_S", 20), ("_LOST_AFTER_S", 0.5), ("_ASK_AGAIN_S", 0.1)):
        monkeypatch.setattr(link_module, name, seconds)
    url = f"http://127.0.0.1:{server.server_address[1]}/api"
    with temporary_settings(updates={PREFECT_API_URL: url, PREFECT_CLIENT_MAX_RETRIES: 20}):
        link = ServerLink(url)
        yield link
        link.lost, link._failing_since_s, link._requested_s = False, None, math.inf  # its monitor has nothing to do


def _hello(client: SyncPrefectClient) -> int:
    return client._client.get("/hello").status_code


def _hang_until_lost(server: _Server, link: ServerLink) -> None:
    """Calls wait a short time for an answer that does not come: until `server.ready` is set again."""
    server.ready.clear()
    started_s = time.monotonic()
    with pytest.MonkeyPatch.context() as impatient:
        impatient.setattr(link_module, "_ANSWERS_WITHIN_S", 0.3)
        while not link.lost:
            with pytest.raises(NoAnswer):
                link.ask(_hello)
            assert time.monotonic() - started_s < 60
            time.sleep(0.05)


def test_a_server_that_answers(link: ServerLink) -> None:
    assert link.ask(_hello) == 200
    assert not link.lost


def test_a_server_that_hangs_is_lost_soon_and_not_asked_any_more(server: _Server, link: ServerLink) -> None:
    _hang_until_lost(server, link)
    requested = len(server.heard)
    started_s = time.monotonic()
    link._ask_again_s = started_s + 100
    for _ in range(50):
        with pytest.raises(NoAnswer, match="is lost"):
            link.ask(_hello)
    assert time.monotonic() - started_s < 10  # one that is requested answers after 20 s
    assert len(server.heard) == requested


def test_prefects_own_client_stops_trying_while_the_server_is_lost(server: _Server, link: ServerLink) -> None:
    settings = get_current_settings().client
    assert settings.max_retries == 20
    _hang_until_lost(server, link)
    assert settings.max_retries == 0
    server.ready.set()
    link._ask_again_s = 0
    assert link.ask(_hello) == 200
    assert (settings.max_retries, link.lost, link.was_lost) == (20, False, True)


def test_a_busy_server_is_tried_again_within_a_second_and_not_lost_at_once(server: _Server, link: ServerLink) -> None:
    server.status = 503
    with pytest.raises(NoAnswer, match="503"):
        link.ask(_hello)
    assert not link.lost
    assert len(server.heard) == 5
    server.status = 200
    assert link.ask(_hello) == 200


@pytest.mark.parametrize(("status", "heard"), [(503, 2), (500, 1), (504, 1), (408, 1)])
def test_only_what_met_another_write_is_tried_again(server: _Server, link: ServerLink, status: int, heard: int) -> None:
    """What a call did before 500 or 504 is not known: a second lease would be one too many."""
    server.first = [status]
    with nullcontext() if heard == 2 else pytest.raises(NoAnswer, match=f"HTTP {status} for GET"):
        assert link.ask(_hello) == 200
    assert len(server.heard) == heard


def test_what_the_server_says_is_an_answer(server: _Server, link: ServerLink) -> None:
    server.status = 423
    with pytest.raises((PrefectHTTPStatusError, httpx.HTTPStatusError)):
        link.ask(_hello)
    assert link._failing_since_s is None


def test_what_is_to_be_recorded_waits_for_the_server(server: _Server, link: ServerLink) -> None:
    recorded: list[str] = []

    def record(what: str) -> Any:
        def call(client: SyncPrefectClient) -> None:
            _hello(client)
            recorded.append(what)

        return call

    _hang_until_lost(server, link)
    started_s = time.monotonic()
    for what in ("10 %", "20 %", "30 %"):
        link.record("progress", record(what))
    link.record("table", record("table"))
    assert time.monotonic() - started_s < 10
    assert link.flush(0.5) == 2
    server.ready.set()
    assert link.flush(10) == 0
    assert recorded[-2:] == ["30 %", "table"]
    assert "20 %" not in recorded  # the first may have been on its way when the server was lost


def test_what_cannot_be_recorded_does_not_keep_the_rest(link: ServerLink) -> None:
    recorded: list[str] = []

    def broken(client: SyncPrefectClient) -> None:
        raise ValueError("not for this server")

    link.record("broken", broken)
    link.record("good", lambda client: recorded.append("good"))
    assert link.flush(10) == 0
    assert recorded == ["good"]
