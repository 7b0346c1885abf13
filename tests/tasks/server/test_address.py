"""Servers that cannot be used are reported in one line."""

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from core.errors import RefusedInput
from tasks.server.address import check_server, lasting_server
from tasks.server.temporary import ensure_server


class _Server(BaseHTTPRequestHandler):
    version = "3.8.8"
    password: str | None = None

    def do_GET(self) -> None:
        wanted = None if self.password is None else "Basic " + base64.b64encode(self.password.encode()).decode()
        refused = wanted is not None and self.headers["Authorization"] != wanted and self.path != "/api/health"
        body = json.dumps({"exception_message": "Unauthorized"} if refused else self.version).encode()
        self.send_response(401 if refused else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.delenv("PREFECT_API_AUTH_STRING", raising=False)
    monkeypatch.setattr(_Server, "password", None)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/api"
        monkeypatch.setenv("PREFECT_API_URL", url)
        yield url
        server.shutdown()


@pytest.mark.parametrize("version", ["3.8.8", "3.8.0", "3.10.1", "3.8.9+dirty"])
def test_servers_that_are_not_older_will_do(version: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Server, "version", version)
    check_server(url)
    assert lasting_server() == url


@pytest.mark.parametrize("version", ["3.7.9", "2.20.1", "4.0.0", "unknown"])
def test_other_versions_are_named(version: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Server, "version", version)
    with pytest.raises(RefusedInput, match=rf"has version {version}, Maskflow needs 3\.8 or a later 3\.x: upgrade"):
        check_server(url)


def test_passwords(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Server, "password", "admin:right")
    with pytest.raises(RefusedInput, match="asks for a password: set PREFECT_API_AUTH_STRING"):
        ensure_server()
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:wrong")
    with pytest.raises(RefusedInput, match="refuses the password: set PREFECT_API_AUTH_STRING"):
        lasting_server()
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:right")
    assert lasting_server() == url


def test_no_server_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setattr("tasks.server.address.PATIENCE_S", 1.0)
    with pytest.raises(RefusedInput, match=r"no Prefect server answered at http://127\.0\.0\.1:9/api"):
        lasting_server()
