"""Parameters are checked once a run: by the command line before it starts a server, else by the flow.

Files and folders that are named by address are brought here for that, and outputs that belong at an address get a
folder here, from which they are delivered.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from prefect import Flow
from prefect.logging import get_logger

from core.addresses.address import as_address, check_address, is_address, name_of, protocol_of
from core.addresses.mirror import mirror_of
from core.addresses.opening import remote_of
from core.addresses.publishing import check_writable_address
from core.addresses.remote import AddressError
from core.errors import RefusedInput
from core.progress import Progress
from tasks.elsewhere import begin_run, brought

P = ParamSpec("P")
Plan = TypeVar("Plan")
_checked: ContextVar[tuple[Callable[..., Any], Any] | None] = ContextVar("checked", default=None)
_log = get_logger("maskflow.checking")
_waiting: ContextVar[Callable[[str], None]] = ContextVar("waiting", default=_log.debug)


@contextmanager
def checked(check: Callable[..., Plan], plan: Plan) -> Iterator[None]:
    """Within, `check` gives this plan, which it has made of the same parameters already."""
    token = _checked.set((check, plan))
    try:
        yield
    finally:
        _checked.reset(token)


@contextmanager
def shown_while_waiting(show: Callable[[str], None]) -> Iterator[None]:
    """Within, `show` gets a line about what is fetched, again and again."""
    token = _waiting.set(show)
    try:
        yield
    finally:
        _waiting.reset(token)


def once_a_run(
    inputs: Collection[str] = (), output_folders: Collection[str] = (), output_files: Collection[str] = ()
) -> Callable[[Callable[P, Plan]], Callable[P, Plan]]:
    """Make a function a flow's `check`: it gives a plan that has been made already, see `checked`.

    Args:
        inputs: its parameters that name files and folders to read: it gets paths here.
        output_folders: those that name folders for outputs: it gets a folder's mirror, where it is an address.
        output_files: those that name files.
    """

    def decorate(check: Callable[P, Plan]) -> Callable[P, Plan]:
        @wraps(check)
        def plan(*args: P.args, **kwargs: P.kwargs) -> Plan:
            made = _checked.get()
            if made is not None and made[0] is plan:
                found: Plan = made[1]
                return found
            begin_run()
            bound = signature(check).bind(*args, **kwargs)
            for name, value in bound.arguments.items():
                if isinstance(value, Path) and is_address(value):
                    if name in inputs:
                        bound.arguments[name] = here(name, value)
                    elif name in output_folders:
                        bound.arguments[name] = _output(name, value)
                    elif name in output_files:
                        bound.arguments[name] = _output(name, value.parent) / name_of(str(as_address(value)))
            return check(*bound.args, **bound.kwargs)

        return plan

    return decorate


def here(parameter: str, path: Path) -> Path:
    """A file or folder to read, here. Raises `RefusedInput` where it is at an address that cannot be read."""
    return brought(parameter, path, _reporter(str(as_address(path))))


def output_beside(parameter: str, path: Path) -> Path:
    """Where outputs go that belong beside an input: the folder itself, or of an address its mirror."""
    return _output(parameter, path) if is_address(path) else path


def _reporter(address: str) -> Progress:
    def report(done: int, expected: int | None) -> None:
        _waiting.get()(f"Fetching {address}: {done}" + ("" if expected is None else f" of {expected}"))

    return report


def _output(parameter: str, folder: Path) -> Path:
    """The mirror of an address that can be written."""
    address = check_address(parameter, folder)
    if protocol_of(address) in ("https", "http"):
        raise RefusedInput.of(parameter, address, "a folder, or an address with s3://, gs://, az:// or hf://")
    try:
        check_writable_address(remote_of(address), address)
    except AddressError as error:
        raise RefusedInput.unusable(parameter, address, str(error)) from None
    return mirror_of(address)


def plan_of(flow: Flow[..., Any], check: Callable[..., Plan], parameters: dict[str, Any]) -> Plan:
    """What a flow's `check` makes of its parameters, defaults included. Raises `RefusedInput`."""
    bound = signature(flow.fn).bind(**parameters)
    bound.apply_defaults()
    wanted = signature(check).parameters
    return check(**{name: value for name, value in bound.arguments.items() if name in wanted})
