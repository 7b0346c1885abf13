"""Items on this host: each task waits in a thread of the flow for a slot."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from prefect.futures import PrefectFuture
from prefect.tasks import Task

from tasks.crews.crew import OnFinalState, final_state
from tasks.devices.pool import DeviceSlots
from tasks.devices.process import OnProgress
from tasks.making import HostContext, host_contexts
from tasks.placement import Placement
from tasks.store import RunStore


class LocalCrew:
    """A `Crew` of this host's slots."""

    def __init__(self, slots: DeviceSlots) -> None:
        self._slots = slots
        self.close = slots.close

    @property
    def devices(self) -> list[str]:
        """See `Crew.devices`."""
        return [slot.device_id for slot in self._slots.slots]

    @property
    def closed(self) -> bool:
        """See `Crew.closed`."""
        return self._slots.closed

    def submit(self, task: Task[..., Any], parameters: dict[str, Any], on_final_state: OnFinalState) -> None:
        """See `Crew.submit`."""

        def done(future: PrefectFuture[Any]) -> None:
            on_final_state(final_state(future))

        task.submit(**parameters).add_done_callback(done)


@contextmanager
def local_crew(
    store: RunStore, placement: Placement, items: int | None, flow_run_id: UUID, on_progress: OnProgress
) -> Iterator[LocalCrew]:
    """Hold this host's slots for a flow run; on leaving, their workers end at once."""
    with DeviceSlots(placement.slots(), on_progress, items, placement.timeouts) as slots:
        place = HostContext(store, slots)
        host_contexts[flow_run_id] = lambda: place
        try:
            yield LocalCrew(slots)
        finally:
            host_contexts.pop(flow_run_id, None)
