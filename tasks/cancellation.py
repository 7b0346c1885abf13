"""Noticing within half a second that somebody cancelled this flow run, wherever it runs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL

from tasks.server.link import server_link

_POLL_S = 0.5


def how_to_cancel() -> str:
    """The command that cancels the present flow run from another shell."""
    url = PREFECT_API_URL.value()  # none inside a flow that Prefect itself started a server for
    command = f"{'' if url is None else f'PREFECT_API_URL={url} '}prefect flow-run cancel {flow_run.id}"
    return f"Flow run {flow_run.id}: cancel it with `{command}`"


def _is_cancelled(state: State) -> bool:
    return state.is_cancelling() or state.is_cancelled()


@contextmanager
def watch_flow_run(
    flow_run_id: UUID, ended: Callable[[], None], over: Callable[[State], bool] = _is_cancelled
) -> Iterator[None]:
    """Call `ended` once, from a thread, when the flow run's state is `over` while the context lasts.

    A server that does not answer is polled on: that is also how it is noticed that it is lost, or back.
    """
    stopped = threading.Event()
    link = server_link()

    def watch() -> None:
        while not stopped.wait(_POLL_S):
            try:
                state = link.ask(lambda client: client.read_flow_run(flow_run_id).state)
            except Exception:  # noqa: BLE001, S112 - whatever it is, the next answer may be one
                continue
            if state is not None and over(state):
                ended()
                return

    thread = threading.Thread(target=watch, name="watch-flow-run", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(1.0)
