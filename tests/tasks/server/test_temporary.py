"""The temporary server: shared by runs, gone after the last one, also when that was killed."""

import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from waiting import wait_until

from tasks.server.address import PATIENCE_S, configured_url, is_healthy
from tasks.server.temporary import KEEP_VARIABLE, announce_server, end_idle_server, running_server

_USER = (
    "import os, sys, time\nfrom tasks.server.temporary import ensure_server\n"
    "ensure_server(); print(os.environ['PREFECT_API_URL'], flush=True)\nsys.stdin.read()\n"
)


def _use(home: Path) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    return subprocess.Popen(
        [sys.executable, "-c", _USER],
        env={**environment, "PREFECT_HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _url(user: "subprocess.Popen[str]") -> str:
    assert user.stdout is not None
    return user.stdout.readline().strip()


@pytest.mark.slow
def test_runs_share_one_server_which_ends_after_the_last(tmp_path: Path) -> None:
    with _use(tmp_path) as first, _use(tmp_path) as second:
        url = _url(first)
        assert _url(second) == url
        assert is_healthy(url, PATIENCE_S)
        first.send_signal(signal.SIGKILL)
        first.wait()
        time.sleep(1.5)
        assert is_healthy(url, PATIENCE_S)
        second.communicate("")
    wait_until(lambda: not is_healthy(url), "the server to end with its users")


@pytest.mark.slow
def test_a_busy_server_is_not_taken_for_one_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(3)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/api"
        announce_server(url)
        assert running_server() == url
        server.shutdown()
    assert running_server() is None


def test_the_configured_server_comes_from_the_environment_or_the_active_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.delenv("PREFECT_PROFILES_PATH", raising=False)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert configured_url() is None
    (tmp_path / "profiles.toml").write_text('active = "box"\n[profiles.box]\nPREFECT_API_URL = "http://box:4200/api"\n')
    assert configured_url() == "http://box:4200/api"
    monkeypatch.setenv("PREFECT_API_URL", "http://other:4200/api")
    assert configured_url() == "http://other:4200/api"
    assert not is_healthy("http://127.0.0.1:9/api")
    assert not is_healthy("nonsense")


@pytest.mark.slow
def test_a_server_is_kept_for_the_next_command_and_ends_at_once_where_that_is_not_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEEP_VARIABLE, "60")
    with _use(tmp_path) as first:
        url = _url(first)
        first.communicate("")
    time.sleep(1.5)
    assert is_healthy(url, PATIENCE_S)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert running_server() == url
    with _use(tmp_path) as second:
        assert _url(second) == url
        end_idle_server()
        assert is_healthy(url, PATIENCE_S), "it is in use"
        second.communicate("")
    wait_until(lambda: not is_healthy(url), "the server to end, since nobody wants it")


@pytest.mark.slow
def test_a_server_that_was_begun_early_is_the_one_that_is_used(tmp_path: Path) -> None:
    early = (
        "import os\nfrom tasks.server.temporary import begin_server, ensure_server\nbegin_server()\n"
        "assert 'PREFECT_API_URL' not in os.environ\nensure_server()\nbegin_server()\n"
        "print(os.environ['PREFECT_API_URL'], flush=True)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", early],
            env={**environment, "PREFECT_HOME": str(tmp_path), KEEP_VARIABLE: "20"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    urls = {run.communicate()[0].strip() for run in runs}
    assert len(urls) == 1
    assert all(run.returncode == 0 for run in runs)
    (tmp_path / "maskflow-server" / "not_kept").touch()
