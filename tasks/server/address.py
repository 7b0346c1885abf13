"""Which Prefect server is configured, and whether it can be used. Nothing here imports Prefect."""

import base64
import os
import time
import tomllib
from contextlib import suppress
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path

import httpx

from core.errors import RefusedInput

SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # A burst of events makes SQLite answer "locked" for a while: patience instead of a failed flow. A server that is
    # lost ends it, see `ServerLink`.
    "PREFECT_CLIENT_MAX_RETRIES": "120",
    "PREFECT_API_REQUEST_TIMEOUT": "8",
    # A run that is killed is known to be gone after three of these, see deployments/automations/crashed.yaml.
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
}
"""What Maskflow's processes need of Prefect, unless the environment says otherwise."""

SERVER_SETTINGS = {
    # Leases must outlive a server that was killed, or their slots would stay taken for ever.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_LOGGING_SERVER_LEVEL": "WARNING",
}
"""Likewise of a server on this host alone."""

TEMPORARY_SETTINGS = {
    f"PREFECT_SERVER_{name}_ENABLED": "false"
    for name in (
        "SERVICES_SCHEDULER", "SERVICES_LATE_RUNS", "SERVICES_FOREMAN", "SERVICES_TRIGGERS",
        "SERVICES_EVENT_PERSISTER", "EVENTS_STREAM_OUT",
    )
}  # fmt: skip
"""Likewise of a temporary one: nobody schedules runs on it, or has anything done on events."""


PATIENCE_S = 30.0
_ANSWERS_WITHIN_S = 10.0
_ASK_EVERY_S = 1.0


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    with suppress(ValueError):
        return ip_address(host.strip("[]")).is_loopback
    return host == "localhost"


def apply_settings() -> None:
    """Put `SETTINGS` into this process's environment, and so into that of its children."""
    os.environ.update({name: os.environ.get(name, value) for name, value in SETTINGS.items()})


def prefect_home() -> Path:
    """Prefect's home folder."""
    return Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser()


def _configured(setting: str) -> str | None:
    """A setting in the environment or in the active Prefect profile."""
    if value := os.environ.get(setting):
        return value
    try:
        file = Path(os.environ.get("PREFECT_PROFILES_PATH", prefect_home() / "profiles.toml"))
        profiles = tomllib.loads(file.read_text())
        name = os.environ.get("PREFECT_PROFILE") or profiles["active"]
        return str(profiles["profiles"][name][setting])
    except (OSError, KeyError, TypeError, tomllib.TOMLDecodeError):
        return None


def server_password() -> str | None:
    """`USER:PASSWORD` that a server of this machine wants, in the environment or in the active Prefect profile."""
    return _configured("PREFECT_SERVER_API_AUTH_STRING") or None


def configured_url() -> str | None:
    """The API address in the environment or in the active Prefect profile."""
    return _configured("PREFECT_API_URL")


def _is_encrypted(url: str) -> bool:
    """Whether certificates matter: to load them takes longer than to ask a server of this machine."""
    return not url.startswith("http://")


def is_healthy(url: str, within_s: float = 2.0) -> bool:
    """Whether a Prefect API answers at `url` in time; it does so without a password."""
    try:
        answer = httpx.get(f"{url.rstrip('/')}/health", timeout=within_s, verify=_is_encrypted(url))
        return answer.status_code == httpx.codes.OK
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def wait_for_server(url: str) -> None:
    """Wait until a configured server answers: it may be busy, or just starting.

    Raises:
        RefusedInput: it does not within half a minute. Another is not used in its place: runs would be where nobody
            looks for them.
    """
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_healthy(url, _ANSWERS_WITHIN_S):
        if time.monotonic() > deadline_s:
            remedy = "start it, correct PREFECT_API_URL, or unset that for a temporary server of this machine"
            raise RefusedInput(f"no Prefect server answered at {url} within {PATIENCE_S:.0f} s: {remedy}")
        time.sleep(_ASK_EVERY_S)


def check_server(url: str) -> None:
    """Make sure that a server that answers can be used.

    Raises:
        RefusedInput: it refuses our password, or its version and ours do not go together.
    """
    if _configured("PREFECT_API_KEY") is not None:
        return  # Prefect Cloud: always of the right version, and Prefect itself reports a wrong key
    password = _configured("PREFECT_API_AUTH_STRING")
    headers = {}
    if password is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(password.encode()).decode()
    try:
        answer = httpx.get(f"{url.rstrip('/')}/admin/version", headers=headers, timeout=10, verify=_is_encrypted(url))
    except httpx.HTTPError as error:
        raise RefusedInput(f"Prefect server {url} does not answer ({error})") from None
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        wrong = "asks for a password" if password is None else "refuses the password"
        raise RefusedInput(f"Prefect server {url} {wrong}: set PREFECT_API_AUTH_STRING to its USER:PASSWORD")
    if answer.is_success:
        _check_version(url, str(answer.json()))


def _check_version(url: str, theirs: str) -> None:
    """Prefect's rule: a client works with servers of its own major version that are not older than it is."""
    ours = version("prefect")
    (our_major, our_minor), (major, minor) = (text.split(".")[:2] for text in (ours, f"{theirs}.0"))
    if major != our_major or not minor.isdigit() or int(minor) < int(our_minor):
        needed = f"{our_major}.{our_minor} or a later {our_major}.x"
        raise RefusedInput(f"Prefect server {url} has version {theirs}, Maskflow needs {needed}: upgrade the server")


def lasting_server() -> str:
    """The configured server's address. Raises `RefusedInput` where none is configured, or it cannot be used."""
    url = configured_url()
    if url is None:
        raise RefusedInput(
            "no Prefect server is configured: set PREFECT_API_URL=http://HOST:4200/api of the one to use"
        )
    wait_for_server(url)
    check_server(url)
    apply_settings()
    return url
