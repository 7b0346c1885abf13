"""A run's items on a Dask cluster: submitted as Prefect tasks, shown here while they run there."""

import logging
import threading
from contextlib import ExitStack
from typing import Any, Self
from uuid import UUID

import dask
from distributed import Client, Future, KilledWorker, Worker
from prefect.client.schemas.objects import State
from prefect.logging import get_logger
from prefect.states import Cancelled, Failed
from prefect.tasks import Task
from prefect_dask.task_runners import DaskTaskRunner, PrefectDaskFuture

from core.errors import MaskflowError
from core.memory import MemoryUse
from tasks.cluster.node import Node, topic_of
from tasks.cluster.slurm import slurm_cluster
from tasks.devices.choice import Devices
from tasks.devices.process import OnProgress
from tasks.running import Settled
from tasks.store import RunStore

_CONNECT_WITHIN_S = 20
_log = get_logger("maskflow.cluster")


class ClusterCrew:
    """Use as a context manager: connects (or starts SLURM jobs), puts a `Node` on each worker, and takes it off again.

    Raises:
        MaskflowError: what answers is no Dask scheduler, or none of its hosts can take part.
    """

    def __init__(
        self, store: RunStore, devices: Devices, items: int | None, flow_run_id: UUID, on_progress: OnProgress
    ) -> None:
        self._store = store
        self._devices = devices
        self._items = items
        self._flow_run_id = flow_run_id
        self._name = topic_of(flow_run_id)
        self._on_progress = on_progress
        self._open = ExitStack()
        self._closed = threading.Event()
        self._unfinished: set[Future[Any]] = set()

    def __enter__(self) -> Self:
        logging.getLogger("distributed").setLevel(logging.ERROR)  # 40 lines for each connection
        with ExitStack() as undo:
            self._runner = undo.enter_context(self._connect(undo))
            self._client = self._runner.client
            self._client.subscribe_topic(self._name, self._on_event)
            undo.callback(self._client.unsubscribe_topic, self._name)
            self._join(undo)
            self._open = undo.pop_all()
        return self

    def _connect(self, undo: ExitStack) -> DaskTaskRunner:
        cluster = self._devices.cluster
        assert cluster is not None
        if cluster.address is None:
            jobs = undo.enter_context(slurm_cluster(min(cluster.slurm_jobs, self._items or cluster.slurm_jobs)))
            return DaskTaskRunner(cluster=jobs)
        try:
            Client(cluster.address, timeout=_CONNECT_WITHIN_S, set_as_default=False).close()
        except (OSError, ValueError) as error:
            raise MaskflowError(f"no Dask scheduler at {cluster.address}: {error}") from None
        return DaskTaskRunner(address=cluster.address)

    def _join(self, undo: ExitStack) -> None:
        """Have every worker of now, and every one that comes later, take part."""
        probe = self._store.root / f"{self._name}.probe"
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        undo.callback(probe.unlink, missing_ok=True)
        node = Node(self._store.root.parent, probe, self._devices, self._items, self._flow_run_id)
        self._client.register_plugin(node)
        undo.callback(self._client.unregister_worker_plugin, self._name)
        refusals: dict[str, str | None] = self._client.run(_refusal_of, self._name)
        if refusals and all(refusals.values()):
            raise MaskflowError("; ".join(sorted({reason for reason in refusals.values() if reason})))
        if not refusals:
            _log.info("The cluster has no workers yet: items wait for the first")

    def _on_event(self, event: tuple[float, Any]) -> None:
        message = event[1]
        if "progress" in message:
            key, done, expected, host_mib, gpu_mib = message["progress"]
            self._on_progress(key, done, expected, MemoryUse(host_mib, gpu_mib))
        for level in ("info", "warning"):
            if level in message:
                getattr(_log, level)(message[level])

    @property
    def closed(self) -> bool:
        """See `Crew.closed`."""
        return self._closed.is_set()

    def submit(self, task: Task[..., Any], parameters: dict[str, Any], settled: Settled) -> None:
        """See `Crew.submit`."""
        with dask.annotate(resources={self._name: 1}):
            future: PrefectDaskFuture[Any] = self._runner.submit(task, parameters)
        self._unfinished.add(future.wrapped_future)

        def done(_: object) -> None:
            self._unfinished.discard(future.wrapped_future)
            settled(self._final_state(future))

        future.add_done_callback(done)

    def _final_state(self, future: PrefectDaskFuture[Any]) -> State[Any]:
        outcome = future.wrapped_future
        if outcome.status == "finished":
            future.wait()  # it is done; this lets it know its final state
            return future.state
        if self.closed:
            return Cancelled(message="the run was cancelled")
        if outcome.status != "error":
            return Failed(message=f"the cluster lost it ({outcome.status}): its scheduler is gone")
        error = outcome.exception()
        if isinstance(error, KilledWorker):
            return Failed(message="each cluster worker that tried it died")
        return Failed(message=f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """See `Crew.close`."""
        self._closed.set()
        self._client.cancel(list(self._unfinished))

    def __exit__(self, *exc: object) -> None:
        self._open.close()


def _refusal_of(name: str, dask_worker: Worker) -> str | None:
    node = dask_worker.plugins[name]
    assert isinstance(node, Node)
    return node.refusal
