"""The flows as commands, each with the flow's own parameters and docstring."""

import importlib
import importlib.util
import logging
from collections.abc import Callable, Iterator
from inspect import Parameter, Signature
from typing import Annotated, Any, cast

import cyclopts
from prefect import Flow
from prefect.client.schemas.objects import State
from prefect.context import refresh_global_settings_context
from rich.console import Console

import tasks.reporting.summary
from core.errors import MaskflowError, RefusedInput
from flows.checking import checked, plan_of, shown_while_waiting
from flows.cli.console import open_console
from flows.cli.flags import flags_of
from flows.cli.terminal import Terminal, print_summary
from tasks.reporting.progress import shown_on
from tasks.server.link import NoAnswer, server_link
from tasks.server.temporary import end_server_soon, ensure_server

_KEEP_SERVER = Parameter(
    "keep_server",
    Parameter.KEYWORD_ONLY,
    default=True,
    annotation=Annotated[
        bool,
        cyclopts.Parameter(
            help="Keep the Prefect server of this machine some minutes for the next command.",
            group=cyclopts.Group("Prefect", sort_key=99),
        ),
    ],
)
_CLIENT = {"prefect", "httpx", "httpcore", "h11", "anyio"}  # whose errors mean a lost server


def run_flow(flow: Flow[..., Any], check: Callable[..., object], parameters: dict[str, Any]) -> int:
    """Check the parameters, make sure of a server, run the flow with progress in the terminal, print its summary.

    Returns:
        The exit code: 0 all done, 1 something failed, 130 cancelled.

    Raises:
        RefusedInput: before any model is loaded, or, of a cluster, by the run.
    """
    for name in ("prefect.flows", "prefect._internal"):  # a lost server: reported below, in one line
        logging.getLogger(name).setLevel(logging.CRITICAL)
    console = open_console(stderr=True)
    with console.status("Checking …") as status, shown_while_waiting(status.update):
        plan = plan_of(flow, check, parameters)
    with console.status("Starting Prefect …"):
        server = ensure_server()
        refresh_global_settings_context()
    console.print(server, style="dim", soft_wrap=True)
    tasks.reporting.summary.latest = None
    with Terminal(console) as terminal, shown_on(terminal), checked(check, plan):
        state = _run(flow, parameters)
    summary = tasks.reporting.summary.latest
    if summary is not None:
        print_summary(open_console(), summary)
    if server_link().was_lost:
        _tell_lost(console, recorded=state is not None)
    if state is None:
        if summary is None:
            raise MaskflowError("the Prefect server was lost before there were results: run the same command again")
        return 1 if summary.failed else 0
    if state.is_completed():
        return 0
    reason = state.result(raise_on_failure=False) if state.is_failed() else state.message
    if isinstance(reason, RefusedInput):  # found only when the run began
        raise reason
    if state.name != "Partial":
        message = f"maskflow: {state.name}: {reason}"
        console.print(message, style="red", soft_wrap=True)
    return 130 if state.is_cancelled() or state.is_cancelling() else 1


def _run(flow: Flow[..., Any], parameters: dict[str, Any]) -> State[Any] | None:
    """The run's final state; None where it could not be recorded, because the server is lost."""
    try:
        return cast(State[Any], flow(**parameters, return_state=True))
    except Exception as error:
        if not server_link().lost:
            raise
        # What went wrong in the run itself comes first; that it could not be recorded either is reported anyway.
        for cause in _causes(error):
            of_the_link = type(cause).__module__.partition(".")[0] in _CLIENT
            if not of_the_link and not isinstance(cause, OSError | AssertionError | NoAnswer):
                raise cause from None
        return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it came on top of, the first of all first."""
    if (before := error.__cause__ or error.__context__) is not None:
        yield from _causes(before)
    yield error


def _tell_lost(console: Console, recorded: bool) -> None:
    became = "It is back, and what became of this run is recorded there"
    if not recorded:
        became = "What became of this run is not recorded there; what it made is delivered"
    message = f"The Prefect server {server_link().url} was lost while this ran. {became}"
    console.print(message, style="yellow", soft_wrap=True)


def _command(flow: Flow[..., Any], check: Callable[..., object]) -> Callable[..., int]:
    flags = flags_of(flow.fn)
    own_signature = Signature([*flags.signature, _KEEP_SERVER], return_annotation=int)

    def command(*positional: Any, **given: Any) -> int:
        if not given.pop(_KEEP_SERVER.name, True):
            end_server_soon()
        try:
            return run_flow(flow, check, flags.validated(own_signature.bind(*positional, **given).arguments))
        except RefusedInput as refused:
            raise flags.spelt(refused) from None

    command.__signature__ = own_signature  # type: ignore[attr-defined]
    command.__annotations__ = {flag.name: flag.annotation for flag in own_signature.parameters.values()} | {
        "return": int
    }
    command.__doc__ = flow.fn.__doc__
    return command


def __getattr__(name: str) -> Callable[..., int]:
    """The command of the flow called `name`: only that flow is imported, so that its help comes at once."""
    if importlib.util.find_spec(f"flows.{name}") is None:
        raise AttributeError(f"no flow is called {name}")
    flow, plan = (importlib.import_module(f"flows.{name}.{module}") for module in ("flow", "plan"))
    return _command(getattr(flow, name), plan.check)
