"""A run's items on a Dask cluster: submitted as Prefect tasks, shown here while they run there."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Self
from uuid import UUID

import dask
import httpx
from distributed import Client, Future, KilledWorker, Worker
from prefect.client.schemas.objects import State
from prefect.logging import get_logger
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelled, Failed
from prefect.tasks import Task
from prefect_dask.task_runners import DaskTaskRunner, PrefectDaskFuture

from core.errors import RefusedInput
from core.memory import MemoryUse
from tasks.crews.crew import OnFinalState
from tasks.crews.node import Node, topic_of
from tasks.crews.slurm import slurm_cluster
from tasks.devices.process import OnProgress
from tasks.devices.slots import MAX_SLOTS
from tasks.placement import CLUSTER, Cluster, Placement
from tasks.server.address import is_loopback
from tasks.store import RunStore

_CONNECT_WITHIN_S = 20
_COUNT_EVERY_S = 2.0
_GONE = "the cluster's scheduler is gone; finished items are kept, run it again with a cluster that is up"
_log = get_logger("maskflow.cluster")


class DaskCrew:
    """Use as a context manager: connects (or starts SLURM jobs), puts a `Node` on each worker, and takes it off again.

    Raises:
        RefusedInput: what answers is no Dask scheduler, or none of its workers can take part, or reach the server.
    """

    def __init__(
        self, store: RunStore, placement: Placement, items: int | None, flow_run_id: UUID, on_progress: OnProgress
    ) -> None:
        self._store = store
        self._placement = placement
        self._items = items
        self._flow_run_id = flow_run_id
        self._name = topic_of(flow_run_id)
        self._on_progress = on_progress
        self._open = ExitStack()
        self._closed = threading.Event()
        self._refusals: set[str] = set()
        self._unfinished: set[Future[Any]] = set()
        self._slots, self._counted_s = 0, -_COUNT_EVERY_S

    def __enter__(self) -> Self:
        logging.getLogger("distributed").setLevel(logging.ERROR)  # 40 lines for each connection
        with ExitStack() as undo:
            self._runner = undo.enter_context(self._connect(undo))
            self._client = self._runner.client
            self._client.subscribe_topic(self._name, self._on_event)
            undo.callback(self._while_connected, self._client.unsubscribe_topic, self._name)
            self._join(undo)
            self._open = undo.pop_all()
        return self

    def _connect(self, undo: ExitStack) -> DaskTaskRunner:
        cluster = self._placement.cluster
        assert cluster is not None
        self._check_server(cluster)
        if cluster.address is None:
            most = cluster.slurm_jobs if self._items is None else max(1, self._items)
            jobs = undo.enter_context(slurm_cluster(min(cluster.slurm_jobs, most)))
            return DaskTaskRunner(cluster=jobs)
        try:
            Client(cluster.address, timeout=_CONNECT_WITHIN_S, set_as_default=False).close()
        except (OSError, ValueError) as error:
            raise RefusedInput(f"no Dask scheduler at {cluster.address}: {error}") from None
        return DaskTaskRunner(address=cluster.address)

    @staticmethod
    def _check_server(cluster: Cluster) -> None:
        """Nodes that are other machines cannot reach a server that only this one can."""
        server = httpx.URL(PREFECT_API_URL.value() or "http://127.0.0.1").host
        elsewhere = cluster.address is None or not is_loopback(httpx.URL(cluster.address).host)
        if is_loopback(server) and elsewhere:
            needed = "set PREFECT_API_URL to one with an address of its own (`maskflow serve --host …`)"
            raise RefusedInput(f"the cluster's machines cannot reach the Prefect server at {server}: {needed}")

    def _join(self, undo: ExitStack) -> None:
        """Have every worker of now, and every one that comes later, take part."""
        probe = self._store.root / f"{self._name}.probe"
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        undo.callback(probe.unlink, missing_ok=True)
        node = Node(self._store.root.parent, probe, self._placement, self._items, self._flow_run_id)
        undo.callback(self._while_connected, self._client.unregister_worker_plugin, self._name)
        try:
            self._client.register_plugin(node)
        except Exception as error:  # noqa: BLE001 - whatever a worker raised: it has another Maskflow, or another Python
            reason = f"{type(error).__name__}: {error}"
            raise RefusedInput(f"a worker of the cluster cannot load this Maskflow ({reason})") from None
        refusals: dict[str, str | None] = self._client.run(_refusal_of, self._name)
        reasons = sorted({reason for reason in refusals.values() if reason})
        if refusals and all(refusals.values()):
            raise RefusedInput("; ".join(reasons))
        for reason in reasons:
            self._tell_refusal(reason)
        if not refusals:
            _log.info("The cluster has no workers yet: items wait for the first")

    def _on_event(self, event: tuple[float, Any]) -> None:
        message = event[1]
        if "progress" in message:
            key, done, expected, host_mib, gpu_mib = message["progress"]
            self._on_progress(key, done, expected, MemoryUse(host_mib, gpu_mib))
        if "refusal" in message:
            self._tell_refusal(message["refusal"])
        if "line" in message:
            _log.log(*message["line"])

    def _tell_refusal(self, reason: str) -> None:
        if reason not in self._refusals:  # workers report by themselves, and when polled
            self._refusals.add(reason)
            _log.warning(reason)

    @property
    def devices(self) -> list[str]:
        """See `Crew.devices`; of a cluster that has no workers yet, as many as the run may come to have."""
        if time.monotonic() - self._counted_s > _COUNT_EVERY_S and self._client.status == "running":
            self._counted_s = time.monotonic()
            workers = self._client.scheduler_info()["workers"].values()
            self._slots = sum(int(worker["resources"].get(self._name, 0)) for worker in workers)
        return [CLUSTER] * (self._slots or MAX_SLOTS)

    @property
    def closed(self) -> bool:
        """See `Crew.closed`."""
        return self._closed.is_set()

    def _while_connected(self, call: Callable[..., object], *arguments: object) -> None:
        """Tidy up on the cluster, unless its scheduler is gone, and all of it with it."""
        if self._client.status != "running":
            return
        try:
            call(*arguments)
        except (OSError, RuntimeError, TimeoutError) as error:
            _log.debug("The cluster's scheduler is gone (%s)", error)

    def submit(self, task: Task[..., Any], parameters: dict[str, Any], on_final_state: OnFinalState) -> None:
        """See `Crew.submit`."""
        if self._client.status != "running":
            on_final_state(Failed(message=_GONE))
            return
        with dask.annotate(resources={self._name: 1}):
            future: PrefectDaskFuture[Any] = self._runner.submit(task, parameters)
        self._unfinished.add(future.wrapped_future)

        def done(_: object) -> None:
            self._unfinished.discard(future.wrapped_future)
            try:
                state = self._final_state(future)
            except Exception as error:  # noqa: BLE001 - an item without a final state would be waited for forever
                state = Failed(message=f"its result cannot be fetched ({type(error).__name__}: {error})")
            on_final_state(state)

        future.add_done_callback(done)

    def _final_state(self, future: PrefectDaskFuture[Any]) -> State[Any]:
        outcome = future.wrapped_future
        if outcome.status == "finished":
            future.wait()  # it is done; this lets it know its final state
            state = future.state
            return state if state.is_final() else Failed(message="its result cannot be fetched from the cluster")
        if self.closed:
            return Cancelled(message="the run was cancelled")
        if outcome.status != "error":
            return Failed(message=_GONE)
        error = outcome.exception()
        if isinstance(error, KilledWorker):
            return Failed(message="each cluster worker that tried it died")
        return Failed(message=f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """See `Crew.close`."""
        self._closed.set()
        self._while_connected(self._client.cancel, list(self._unfinished))

    def __exit__(self, *exc: object) -> None:
        self._open.close()


def _refusal_of(name: str, dask_worker: Worker) -> str | None:
    node = dask_worker.plugins[name]
    assert isinstance(node, Node)
    return node.refusal
