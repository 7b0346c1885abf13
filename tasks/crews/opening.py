"""Which crew a run gets."""

from contextlib import AbstractContextManager
from uuid import UUID

from tasks.crews.crew import Crew
from tasks.crews.local import local_crew
from tasks.devices.process import OnProgress
from tasks.placement import Placement
from tasks.store import RunStore


def open_crew(
    store: RunStore, placement: Placement, items: int | None, flow_run_id: UUID, on_progress: OnProgress
) -> AbstractContextManager[Crew]:
    """A cluster's nodes where the placement names a cluster, else this host's slots.

    Args:
        store: the run's state folder.
        placement: what the items may use, where, and for how long.
        items: how many can run at once, where known: fewer than there are slots share all cores.
        flow_run_id: whose items they are.
        on_progress: called as items go on, from any thread.
    """
    if placement.cluster is None:
        return local_crew(store, placement, items, flow_run_id, on_progress)
    from tasks.crews.dask import DaskCrew  # Dask is loaded only where it is used

    return DaskCrew(store, placement, items, flow_run_id, on_progress)
