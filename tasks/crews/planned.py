"""The crew of a run that is only planned: its slots are counted, and nothing is opened."""

from typing import Any, Self

from prefect.tasks import Task

from tasks.crews.crew import OnFinalState
from tasks.placement import CLUSTER, Placement


class PlanCrew:
    """A `Crew` that makes nothing; use it as a context manager, as the others."""

    def __init__(self, placement: Placement) -> None:
        here = [slot.device_id for slot in placement.slots()] if placement.cluster is None else []
        jobs = 1 if placement.cluster is None else max(1, placement.cluster.slurm_jobs)
        self.devices = here or [CLUSTER] * jobs
        self.closed = False

    def submit(self, task: Task[..., Any], parameters: dict[str, Any], on_final_state: OnFinalState) -> None:
        """Never called."""
        raise RuntimeError(f"{task.name}: a plan makes nothing ({len(parameters)} {on_final_state})")

    def close(self) -> None:
        """See `Crew.close`."""
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
