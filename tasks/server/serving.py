"""A lasting server and its worker as child processes of one command; leaving it ends both, and what they run."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from core.errors import MaskflowError, RefusedInput
from tasks.server.address import SERVER_SETTINGS, is_healthy, is_loopback, prefect_home, server_password
from tasks.server.outputs import announce_files, withdraw_files

_UP_WITHIN_S = 180.0
_ENDS_WITHIN_S = 20.0


def check_address(host: str, port: int, parameter: str = "port") -> None:
    """Refuse a port that is taken, and a server that is open to the network without a password."""
    if not 0 < port < 65536:
        raise RefusedInput.of(parameter, port, "1 to 65535")
    password = server_password()
    if password and ":" not in password:
        raise RefusedInput("PREFECT_SERVER_API_AUTH_STRING is not accepted: USER:PASSWORD")
    if not is_loopback(host) and not password:
        needed = "a password for a server that others can reach: set PREFECT_SERVER_API_AUTH_STRING=USER:PASSWORD"
        raise RefusedInput.of("host", host, needed)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            accepted = f"a port of {host} to listen at ({error.strerror}); is a server running already?"
            raise RefusedInput.of(parameter, port, accepted) from None


def base_url(host: str, port: int) -> str:
    """How this machine's own processes and, where it is not open to all its addresses, its browsers reach a server."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, nothing listens there
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def server(host: str, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A server that is up and answers. Raises `MaskflowError` where it does not come up, naming its log."""
    url = base_url(host, port)
    settings = {
        **SERVER_SETTINGS,
        "PREFECT_SERVER_UI_API_URL": "/api",  # under whatever name people reach this machine
        # Other sites that are open in the same browser must not reach the API.
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": url,
        # In notifications, for people on other machines.
        "PREFECT_UI_URL": url if is_loopback(host) else f"http://{socket.getfqdn()}:{port}",
    }
    command = _prefect("server", "start", "--host", host, "--port", str(port))
    with _child("server", command, {**settings, **os.environ}) as (process, log):
        deadline_s = time.monotonic() + _UP_WITHIN_S
        while not is_healthy(f"{url}/api"):
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise MaskflowError(f"the Prefect server did not come up; its log: {log}")
            time.sleep(0.2)
        yield process


@contextmanager
def files(module: str, host: str, port: int, api_url: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A server of what runs make, a `module` that takes host and port; runs link to it from their artifacts."""
    command = [sys.executable, "-m", module, "--host", host, "--port", str(port)]
    shown = base_url(host, port) if is_loopback(host) else f"http://{socket.getfqdn()}:{port}"
    with _child("files", command, dict(os.environ)) as (process, _):
        announce_files(shown, api_url)
        try:
            yield process
        finally:
            withdraw_files()


@contextmanager
def worker(pool: str, limit: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker of a pool, with the server in `PREFECT_API_URL`; see `worker_command`."""
    with _child("worker", worker_command(pool, limit), dict(os.environ)) as (process, _):
        yield process


def worker_command(pool: str, limit: int) -> list[str]:
    """Starts a worker that is called like this host, and takes at most so many flow runs at once.

    Without a limit the first worker to ask would get every run there is.
    """
    named = ("--pool", pool, "--name", socket.gethostname(), "--limit", str(limit))
    return _prefect("worker", "start", *named, "--type", "process", "--no-create-pool-if-not-found")


def _prefect(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "prefect", *arguments]


def logs_folder() -> Path:
    """Where server and worker print to."""
    return prefect_home() / "maskflow-server"


@contextmanager
def _child(name: str, command: list[str], env: dict[str, str]) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    log = logs_folder() / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,  # Ctrl-C ends the worker first, and the server after it
        )
    try:
        yield process, log
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Let it end what it runs; what is left after a while is killed, flow runs in sessions of their own included."""
    for impatience in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(impatience, signal.SIG_IGN)
    family = []
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_ENDS_WITHIN_S)
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.kill()
    process.wait()
