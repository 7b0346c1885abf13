"""A Dask worker's part in a run: its host's slots, leased to the items that come there."""

import asyncio
import logging
import multiprocessing
import socket
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

from distributed import Status, Worker, WorkerPlugin, get_worker
from prefect.client.schemas.objects import State

from core.addresses.mirror import address_of, mirror_of
from core.errors import MaskflowError
from core.memory import MemoryUse
from core.store.cache import STATE
from tasks import making
from tasks.cancellation import watch_flow_run
from tasks.crews.localising import localised
from tasks.devices.pool import DeviceSlots
from tasks.making import HostContext, host_contexts
from tasks.placement import Placement
from tasks.store import RunStore

NO_DAEMON = "DASK_DISTRIBUTED__WORKER__DAEMON=False"


def _is_over(state: State) -> bool:
    return state.is_final() or state.is_cancelling()


class Node(WorkerPlugin):
    """Put on every worker of the cluster by the flow, taken off when the run ends.

    Args:
        outputs: the run's output folder, which every host must see; the mirror of an address need not be seen: hosts
            have mirrors of their own.
        probe: a file the flow made there, to check whether this host sees the same folder.
        placement: what items may use on each host.
        items: how many can run at once, where known.
        flow_run_id: whose items they are.
    """

    def __init__(self, outputs: Path, probe: Path, placement: Placement, items: int | None, flow_run_id: UUID) -> None:
        self.name = topic_of(flow_run_id)
        self.refusal: str | None = None
        self._outputs = outputs
        self._address = address_of(outputs)
        self._probe = probe
        self._placement = placement
        self._items = items
        self._flow_run_id = flow_run_id

    async def setup(self, worker: Worker) -> None:
        """Offer this host's slots, or none, where it cannot take part: `refusal` then says why."""
        self._worker = worker
        self._host = socket.gethostname()
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._context: HostContext | None = None
        self._keys: set[object] = set()
        try:
            slots = await asyncio.to_thread(self._slots)
        except MaskflowError as error:
            slots = 0
            self.refusal = f"{self._host} ({worker.address}) takes no part in this run: {error}"
            self._tell({"refusal": self.refusal})
        host_contexts[self._flow_run_id] = self._here
        await worker.set_resources(**{self.name: slots})
        if worker.status == Status.running:  # the scheduler looks again at waiting tasks where a worker begins to run
            worker.status = Status.paused
            worker.status = Status.running

    def _slots(self) -> int:
        if multiprocessing.current_process().daemon:
            raise MaskflowError(f"its worker may not start processes; start it as `{NO_DAEMON} dask worker …`")
        if self._address is None and not self._probe.exists():
            raise MaskflowError(f"it does not see the folder {self._outputs}; a cluster needs shared storage")
        return len(self._placement.slots())

    def _here(self) -> HostContext:
        """The place of the item whose task calls this: within a task the Prefect server's address is known."""
        with self._lock:
            self._keys.add(get_worker().get_current_task())
            if self._context is None:
                slots = self._open.enter_context(
                    DeviceSlots(self._placement.slots(), self._on_progress, self._items, self._placement.timeouts)
                )
                self._open.enter_context(watch_flow_run(self._flow_run_id, slots.close, _is_over))
                lines = _ToFlow(self)
                making_log = logging.getLogger("prefect.task_runs")
                making_log.addHandler(lines)
                self._open.callback(making_log.removeHandler, lines)
                self._context = self._context_of(slots)
            return self._context

    def _context_of(self, slots: DeviceSlots) -> HostContext:
        if self._address is None:
            return HostContext(RunStore(self._outputs), slots, self._host)
        store = RunStore(mirror_of(self._address))
        elsewhere = self._outputs.resolve() / STATE
        return HostContext(store, slots, self._host, lambda order: localised(order, elsewhere, store))

    def _on_progress(self, key: str, done: int, expected: int | None, memory: MemoryUse) -> None:
        self._tell({"progress": [key, done, expected, memory.host_mib, memory.gpu_mib]})

    def _tell(self, message: dict[str, Any]) -> None:
        self._worker.log_event(self.name, message)

    def tell_line(self, record: logging.LogRecord) -> None:
        """Pass a line about one of this run's items on to the flow's terminal."""
        if getattr(record, "flow_run_id", None) == str(self._flow_run_id) and record.pathname == making.__file__:
            self._tell({"line": [record.levelno, record.getMessage()]})

    def transition(self, key: object, start: str, finish: str, **_: Any) -> None:
        """End the work at once when nobody wants it any more: the run was cancelled, or its flow is gone."""
        if start == "executing" and finish == "released" and key in self._keys and self._context is not None:
            threading.Thread(target=self._end, name="end-unwanted", daemon=True).start()

    async def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - Dask passes it
        """The run has ended: end its device workers, return its leases."""
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        host_contexts.pop(self._flow_run_id, None)
        self._open.close()


class _ToFlow(logging.Handler):
    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node

    def emit(self, record: logging.LogRecord) -> None:
        self._node.tell_line(record)


def topic_of(flow_run_id: UUID) -> str:
    """What the cluster calls a run: its plugin, its resource, and its channel for progress and log lines."""
    return f"maskflow-{flow_run_id}"
