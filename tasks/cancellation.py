"""Noticing within half a second that somebody cancelled this flow run, wherever it runs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL

_POLL_S = 0.5


def how_to_cancel() -> str:
    """The command that cancels the present flow run from another shell."""
    command = f"PREFECT_API_URL={PREFECT_API_URL.value()} prefect flow-run cancel {flow_run.id}"
    return f"Flow run {flow_run.id}: cancel it with `{command}`"


@contextmanager
def watch_for_cancellation(flow_run_id: UUID, cancelled: Callable[[], None]) -> Iterator[None]:
    """Call `cancelled` once, from a thread, when the flow run is cancelled while the context lasts."""
    stopped = threading.Event()

    def watch() -> None:
        with get_client(sync_client=True) as client:
            while not stopped.wait(_POLL_S):
                try:
                    state = client.read_flow_run(flow_run_id).state
                except (httpx.HTTPError, ObjectNotFound):
                    continue
                if state is not None and (state.is_cancelling() or state.is_cancelled()):
                    cancelled()
                    return

    thread = threading.Thread(target=watch, name="watch-for-cancellation", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(5.0)
