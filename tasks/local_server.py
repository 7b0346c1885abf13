"""Prefect without any set-up: the configured server when it answers, else a temporary one of our own.

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
import tomllib
from pathlib import Path

import httpx

from core.errors import MaskflowError
from core.store.atomic import write_text

_START_TIMEOUT_S = 180.0
_SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # A burst of events makes SQLite answer "locked" for a while: patience instead of a failed flow.
    "PREFECT_CLIENT_MAX_RETRIES": "20",
}
_SERVER_SETTINGS = {
    # Leases must outlive a server that was killed, or their slots would stay taken for ever.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_LOGGING_SERVER_LEVEL": "WARNING",
}
_held: list[object] = []  # kept until this process ends, also past its last flushed event


def prefect_home() -> Path:
    """Prefect's home folder."""
    return Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser()


def configured_url() -> str | None:
    """The API address in the environment or in the active Prefect profile."""
    if url := os.environ.get("PREFECT_API_URL"):
        return url
    try:
        file = Path(os.environ.get("PREFECT_PROFILES_PATH", prefect_home() / "profiles.toml"))
        profiles = tomllib.loads(file.read_text())
        name = os.environ.get("PREFECT_PROFILE") or profiles["active"]
        return str(profiles["profiles"][name]["PREFECT_API_URL"])
    except (OSError, KeyError, TypeError, tomllib.TOMLDecodeError):
        return None


def is_healthy(url: str) -> bool:
    """Whether a Prefect API answers at `url`, within two seconds."""
    try:
        return httpx.get(f"{url.rstrip('/')}/health", timeout=2).status_code == httpx.codes.OK
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def ensure_server() -> str:
    """Make sure a Prefect server answers, and point this process at it.

    Returns:
        One line about which server is used.

    Raises:
        MaskflowError: the temporary server did not come up; names its log.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in _SETTINGS.items()})
    configured = configured_url()
    if configured is not None and is_healthy(configured):
        return f"Prefect server {configured}"
    url = _temporary_server()
    os.environ["PREFECT_API_URL"] = url
    note = f"{configured} does not answer; " if configured is not None else ""
    return f"{note}temporary Prefect server {url.removesuffix('/api')} (while runs last)"


def _temporary_server() -> str:
    folder = prefect_home() / "maskflow-server"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "starting").open("w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)  # two runs that begin together start one server
        users = (folder / "users").open("w")
        fcntl.flock(users, fcntl.LOCK_SH)  # waits for a server that is just ending
        _held.append(users)
        address = folder / "address.json"
        try:
            url = str(json.loads(address.read_text())["url"])
            if is_healthy(url):
                return url
        except (OSError, ValueError, KeyError):
            pass
        return _start(folder, address)


def _start(folder: Path, address: Path) -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    log = folder / "log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "tasks.local_server", str(folder), str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **_SERVER_SETTINGS, "PREFECT_API_URL": url},
            start_new_session=True,  # Ctrl-C ends the flow first, and the server after it
        )
    _held.append(server)
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while not is_healthy(url):
        if server.poll() is not None or time.monotonic() > deadline_s:
            server.kill()
            raise MaskflowError(f"the temporary Prefect server did not come up; its log: {log}")
        time.sleep(0.2)
    write_text(address, json.dumps({"url": url}))
    return url


def _serve(folder: Path, port: int) -> None:
    import uvicorn
    from prefect.server.api.server import create_app

    config = uvicorn.Config(create_app(), host="127.0.0.1", port=port, log_level="warning", timeout_keep_alive=5)
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
