"""Noticing within half a second that somebody cancelled this flow run, wherever it runs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL

_POLL_S = 0.5


def how_to_cancel() -> str:
    """The command that cancels the present flow run from another shell."""
    command = f"PREFECT_API_URL={PREFECT_API_URL.value()} prefect flow-run cancel {flow_run.id}"
    return f"Flow run {flow_run.id}: cancel it with `{command}`"


def _is_cancelled(state: State) -> bool:
    return state.is_cancelling() or state.is_cancelled()


@contextmanager
def watch_flow_run(
    flow_run_id: UUID, ended: Callable[[], None], over: Callable[[State], bool] = _is_cancelled
) -> Iterator[None]:
    """Call `ended` once, from a thread, when the flow run's state is `over` while the context lasts."""
    stopped = threading.Event()

    def watch(client: SyncPrefectClient) -> None:
        while not stopped.wait(_POLL_S):
            try:
                state = client.read_flow_run(flow_run_id).state
            except (httpx.HTTPError, ObjectNotFound):
                continue
            if state is not None and over(state):
                ended()
                return

    with get_client(sync_client=True) as client:
        thread = threading.Thread(target=watch, args=(client,), name="watch-flow-run", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join(5.0)
