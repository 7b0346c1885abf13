"""Commands that let flows be started from the Prefect UI, on a schedule, and on many machines."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.context import refresh_global_settings_context
from prefect.exceptions import ObjectNotFound
from rich.console import Console

from core.errors import MaskflowError, RefusedInput
from flows.cli.console import open_console
from tasks.devices.limits import register_limits
from tasks.devices.slots import plan_slots
from tasks.server import serving, setting_up
from tasks.server.address import apply_settings, check_server, lasting_server
from tasks.server.temporary import announce_server, end_idle_server, running_server, starting

_FILES = Path(__file__).parent / "deployed"


def serve(*, host: str = "127.0.0.1", port: int = 4200, files_port: int | None = None, limit: int | None = None) -> int:
    """Run server, deployments, device limits and a worker on this machine, until Ctrl-C.

    Flows can then be started from the UI, by schedules, and with `prefect deployment run`.

    Args:
        host: address to listen at; others than this machine's own need PREFECT_SERVER_API_AUTH_STRING=USER:PASSWORD.
        port: port to listen at.
        files_port: port at which reports, videos and recordings of runs are shown; the next one when left out.
        limit: flow runs at once; as many as this machine has device slots when left out.
    """
    console = open_console(stderr=True)
    _check_limit(limit)
    files_port = port + 1 if files_port is None else files_port
    if files_port == port:
        raise RefusedInput.of("files_port", files_port, f"another than port = {port}")
    serving.check_address(host, port)
    serving.check_address(host, files_port, "files_port")
    for end_signal in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(end_signal, signal.default_int_handler)
    apply_settings()
    os.environ["PREFECT_API_URL"] = url = f"{serving.base_url(host, port)}/api"
    password = os.environ.get("PREFECT_SERVER_API_AUTH_STRING")
    if password:
        os.environ.setdefault("PREFECT_API_AUTH_STRING", password)
    with console.status("Starting the Prefect server …") as status, ExitStack() as open_:
        end_idle_server()
        with starting():
            running = running_server()
            if running is not None:
                raise RefusedInput(f"a server is up already at {running}: use it, or wait until its runs have ended")
            server = open_.enter_context(serving.server(host, port))
            announce_server(url)
        check_server(url)
        refresh_global_settings_context()
        status.update("Registering deployments and device limits …")
        _tell_set_up(console)
        slots = _register_own_limits(console)
        files = open_.enter_context(serving.files("flows.label.hub", host, files_port, url))
        with serving.worker(setting_up.POOL, limit or slots) as worker:
            status.stop()
            needed = f"PREFECT_API_URL={url}" + (" PREFECT_API_AUTH_STRING=USER:PASSWORD" if password else "")
            for line in (
                f"Ready: {url.removesuffix('/api')}",
                f"From a shell: export {needed}",
                f"Logs: {serving.logs_folder()}; Ctrl-C ends server and worker",
            ):
                console.print(line, soft_wrap=True)
            _until_one_ends({"server": server.poll, "worker": worker.poll, "files": files.poll}, console)
    return 0


def _until_one_ends(children: dict[str, Callable[[], int | None]], console: Console) -> None:
    try:
        while True:
            for name, poll in children.items():
                if poll() is not None:
                    raise MaskflowError(f"the {name} has ended; its log: {serving.logs_folder() / name}.log")
            time.sleep(0.5)
    except KeyboardInterrupt:
        console.print("Ending worker and server; interrupted runs go on where they stopped when they are run again")


def deploy() -> int:
    """Set up the server in PREFECT_API_URL: work pool, deployments, automation; keeps what was changed in the UI."""
    lasting_server()
    refresh_global_settings_context()
    with open_console(stderr=True).status("Registering deployments …"):
        _tell_set_up(open_console())
    return 0


def worker(*, pool: str = setting_up.POOL, limit: int | None = None) -> int:
    """Let this machine take flow runs from the server in PREFECT_API_URL; registers its device limits.

    Args:
        pool: work pool to take them from.
        limit: flow runs at once; as many as this machine has device slots when left out.
    """
    lasting_server()
    refresh_global_settings_context()
    with get_client(sync_client=True) as client:
        try:
            kind = client.read_work_pool(pool).type
        except ObjectNotFound:
            raise RefusedInput.of("pool", pool, "a work pool of the server; `maskflow deploy` makes it") from None
    if kind != "process":
        raise RefusedInput.of("pool", pool, f"a work pool of type process, and this is one of type {kind}")
    _check_limit(limit)
    slots = _register_own_limits(open_console(stderr=True))
    command = serving.worker_command(pool, limit or slots)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where a script started us in the background
    os.execv(command[0], command)  # noqa: S606 - its signals and exit code are this command's


def notify(url: str, /) -> int:
    """Have a webhook called for each run that failed, was delivered in part, or crashed.

    Args:
        url: of the webhook; it is sent {"text": "…"} with the run's name, state, reason and address in the UI.
    """
    lasting_server()
    refresh_global_settings_context()
    with get_client(sync_client=True) as client:
        setting_up.notify(client, _FILES, url)
    open_console().print("Registered: see Automations in the UI")
    return 0


def _working_folder() -> Path:
    """Where flow runs start, so that relative paths are found: the checkout, if Maskflow runs from one, else here."""
    checkout = Path(__file__).parents[2]
    return checkout if (checkout / "prefect.yaml").is_file() else Path.cwd()


def _check_limit(limit: int | None) -> None:
    if limit is not None and limit < 1:
        raise RefusedInput.of("limit", limit, "1 or more")


def _tell_set_up(console: Console) -> None:
    with get_client(sync_client=True) as client:
        for name in setting_up.set_up(client, _FILES, _working_folder()):
            console.print(f"Deployment {name} in work pool {setting_up.POOL}")


def _register_own_limits(console: Console) -> int:
    """Register this host's limits; the number of its slots."""
    slots = plan_slots(None, None)
    with get_client(sync_client=True) as client:
        for name, admitted in register_limits(client, slots).items():
            console.print(f"Limit {name}: {admitted} at once")
    return len(slots)
