"""Prefect without any set-up: the configured server where there is one, else a temporary one of our own.

The temporary server is a child process that all Maskflow runs of one `PREFECT_HOME` share. Each run holds a shared
lock on `maskflow-server/users`; the server ends itself once it could have that lock alone for some minutes, or at once
where a run asked for that, so it is there for the next command and does not stay. What it prints goes to
`maskflow-server/log`.

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
from io import TextIOWrapper
from pathlib import Path

from core.errors import MaskflowError
from core.imports import no_collection
from core.store.atomic import write_text
from tasks.server.address import (
    PATIENCE_S,
    SERVER_SETTINGS,
    TEMPORARY_SETTINGS,
    apply_settings,
    check_server,
    configured_url,
    is_healthy,
    prefect_home,
    wait_for_server,
)
from tasks.server.retry_soon import retry_soon

KEEP_VARIABLE = "MASKFLOW_KEEP_SERVER_S"
_KEEP_S = 300.0
_START_TIMEOUT_S = 180.0
_ENDS_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.5
_POLL_S = 0.05
_NOT_KEPT = "not_kept"
_held: list[object] = []  # kept until this process ends, also past its last flushed event


def begin_server() -> None:
    """Have a server start, where `ensure_server` will need one, while this process does other things."""
    apply_settings()
    if configured_url() is None:
        with starting(wait=False) as lock:
            if lock is not None:
                _use_server()
                if running_server() is None:
                    _spawn(lock)


def end_server_soon() -> None:
    """Do not keep the temporary server for the next command: it ends with the last run that uses it."""
    os.environ[KEEP_VARIABLE] = "0"
    _folder().mkdir(parents=True, exist_ok=True)
    (_folder() / _NOT_KEPT).touch()


def end_idle_server() -> None:
    """Have the temporary server that is kept for the next command end now, unless a run uses it."""
    if running_server() is not None:
        (_folder() / _NOT_KEPT).touch()
        deadline_s = time.monotonic() + _ENDS_WITHIN_S
        while running_server() is not None and time.monotonic() < deadline_s:
            time.sleep(_POLL_S)


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
    os.environ["PREFECT_API_TLS_INSECURE_SKIP_VERIFY"] = "true"  # there is no TLS, and loading certificates takes time
    return f"Prefect server of this machine: {url.removesuffix('/api')}"


def _temporary_server() -> str:
    with starting() as lock:
        _use_server()
        url = running_server()
        if url is None and lock is not None:
            _spawn(lock)
    if url is None:
        with starting():  # the server holds this until it is up
            url = running_server()
    if url is None:
        raise MaskflowError(f"the temporary Prefect server did not come up; its log: {_folder() / 'log'}")
    return url


def _use_server() -> None:
    """Become one of the server's users, until this process ends."""
    if not _held:
        users = os.open(_folder() / "users", os.O_WRONLY | os.O_CREAT, 0o600)
        fcntl.flock(users, fcntl.LOCK_SH)  # waits for a server that is just ending
        _held.append(users)


@contextmanager
def starting(wait: bool = True) -> Iterator[TextIOWrapper | None]:
    """Hold the right to start a server for this `PREFECT_HOME`; None where it is not to be had.

    Runs that begin together start one: a server that is coming up holds this lock, too.
    """
    _folder().mkdir(parents=True, exist_ok=True)
    deadline_s = time.monotonic() + (_START_TIMEOUT_S if wait else 0)
    with (_folder() / "starting").open("w") as lock:
        while not _locked(lock):
            if time.monotonic() >= deadline_s:
                yield None
                return
            time.sleep(_POLL_S)
        yield lock


def _locked(file: TextIOWrapper) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def running_server() -> str | None:
    """The server of this `PREFECT_HOME` that is up: a temporary one, or that of `maskflow serve`."""
    try:
        url = str(json.loads(_address_file().read_text())["url"])
    except (OSError, ValueError, KeyError):
        return None
    return url if is_healthy(url, PATIENCE_S) else None  # busy is not gone: what is gone refuses the connection at once


def announce_server(url: str) -> None:
    """Let other runs of this `PREFECT_HOME` know that there is a server at `url`."""
    _folder().mkdir(parents=True, exist_ok=True)
    write_text(_address_file(), json.dumps({"url": url}))


def _folder() -> Path:
    return prefect_home() / "maskflow-server"


def _address_file() -> Path:
    return _folder() / "address.json"


def _spawn(lock: TextIOWrapper) -> None:
    """Start the server; it holds the lock until it can be used."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (_folder() / _NOT_KEPT).unlink(missing_ok=True)
    with (_folder() / "log").open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "tasks.server.temporary", str(_folder()), str(port), str(lock.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **SERVER_SETTINGS, **TEMPORARY_SETTINGS, "PREFECT_API_URL": _url(port)},
            start_new_session=True,  # Ctrl-C ends the flow first, and the server after it
            pass_fds=[lock.fileno()],
        )
    _held.append(server)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/api"


def _serve(folder: Path, port: int, starting_lock: int) -> None:
    with no_collection():
        import uvicorn
        from prefect.server.api.server import create_app

        from tasks.server.sqlite_waits import give_up_soon  # loads the server

        give_up_soon()
        app = retry_soon(create_app())
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", timeout_keep_alive=5)
    server = uvicorn.Server(config)

    def watch() -> None:
        while not server.started:
            time.sleep(_POLL_S)
        announce_server(_url(port))
        os.close(starting_lock)
        _wait_until_unused(folder)
        server.should_exit = True
        time.sleep(10)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    server.run()
    os._exit(0)  # Prefect's background threads have nothing left to do


def _wait_until_unused(folder: Path) -> None:
    """Until no run has used the server for some time; then none can begin to, until this process has ended."""
    try:
        keep_s = float(os.environ.get(KEEP_VARIABLE, _KEEP_S))
    except ValueError:
        keep_s = _KEEP_S
    users = (folder / "users").open("w")
    _held.append(users)
    used_s = time.monotonic()
    while True:
        time.sleep(_LOOK_EVERY_S)
        if not _locked(users):
            used_s = time.monotonic()
            continue
        gone = not (folder / "users").exists()  # the whole home has been removed
        if gone or (folder / _NOT_KEPT).exists() or time.monotonic() - used_s >= keep_s:
            return
        fcntl.flock(users, fcntl.LOCK_UN)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
