"""Prefect without any set-up: the configured server where there is one, else a temporary one of our own.

The temporary server is a child process that all Maskflow runs of one `PREFECT_HOME` share. Each run holds a shared
lock on `maskflow-server/users`; the server ends itself once it gets that lock alone, so it outlives neither a
finished run nor a killed one. What it prints goes to `maskflow-server/log`.

Nothing here imports Prefect before the environment is set: its settings are read at import.
"""

import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import MaskflowError
from core.store.atomic import write_text
from tasks.server.address import (
    PATIENCE_S,
    SERVER_SETTINGS,
    apply_settings,
    check_server,
    configured_url,
    is_healthy,
    prefect_home,
    wait_for_server,
)
from tasks.server.retry_soon import retry_soon

_START_TIMEOUT_S = 180.0
_held: list[object] = []  # kept until this process ends, also past its last flushed event


def ensure_server() -> str:
    """Make sure a Prefect server answers, and point this process at it.

    Returns:
        One line about which server is used.

    Raises:
        RefusedInput: the configured server does not answer, refuses our password, or is of another version.
        MaskflowError: the temporary server did not come up; names its log.
    """
    apply_settings()
    configured = configured_url()
    if configured is not None:
        wait_for_server(configured)
        check_server(configured)
        return f"Prefect server {configured}"
    url = _temporary_server()
    check_server(url)
    os.environ["PREFECT_API_URL"] = url
    return f"Prefect server of this machine: {url.removesuffix('/api')}"


def _temporary_server() -> str:
    folder = _address_file().parent
    with starting():
        users = (folder / "users").open("w")
        fcntl.flock(users, fcntl.LOCK_SH)  # waits for a server that is just ending
        _held.append(users)
        return running_server() or _start(folder)


@contextmanager
def starting() -> Iterator[None]:
    """Hold the right to start a server for this `PREFECT_HOME`: runs that begin together start one."""
    folder = _address_file().parent
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "starting").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def running_server() -> str | None:
    """The server of this `PREFECT_HOME` that is up: a temporary one, or that of `maskflow serve`."""
    try:
        url = str(json.loads(_address_file().read_text())["url"])
    except (OSError, ValueError, KeyError):
        return None
    return url if is_healthy(url, PATIENCE_S) else None  # busy is not gone: what is gone refuses the connection at once


def announce_server(url: str) -> None:
    """Let other runs of this `PREFECT_HOME` know that there is a server at `url`."""
    _address_file().parent.mkdir(parents=True, exist_ok=True)
    write_text(_address_file(), json.dumps({"url": url}))


def _address_file() -> Path:
    return prefect_home() / "maskflow-server" / "address.json"


def _start(folder: Path) -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    log = folder / "log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "tasks.server.temporary", str(folder), str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **SERVER_SETTINGS, "PREFECT_API_URL": url},
            start_new_session=True,  # Ctrl-C ends the flow first, and the server after it
        )
    _held.append(server)
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while not is_healthy(url):
        if server.poll() is not None or time.monotonic() > deadline_s:
            server.kill()
            raise MaskflowError(f"the temporary Prefect server did not come up; its log: {log}")
        time.sleep(0.2)
    announce_server(url)
    return url


def _serve(folder: Path, port: int) -> None:
    import uvicorn
    from prefect.server.api.server import create_app

    from tasks.server.sqlite_waits import give_up_soon  # loads the server

    give_up_soon()
    app = retry_soon(create_app())
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", timeout_keep_alive=5)
    server = uvicorn.Server(config)
    users = (folder / "users").open("w")

    def end_when_alone() -> None:
        while True:
            time.sleep(0.5)
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            server.should_exit = True
            time.sleep(10)
            os._exit(0)

    threading.Thread(target=end_when_alone, daemon=True).start()
    server.run()
    os._exit(0)  # Prefect's background threads have nothing left to do


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), int(sys.argv[2]))
