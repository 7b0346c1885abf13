"""Runs that end before there are results, without having failed: cancelled, or only planned."""

from pathlib import Path

from prefect.client.schemas.objects import State
from prefect.states import Cancelled

from core.errors import MaskflowError
from tasks.plan_table import publish_plan
from tasks.planning import RunPlan


class RunEnded(MaskflowError):
    """A run ends before its results are there, and has not failed."""

    def state(self) -> State[None]:
        """The flow's final state."""
        raise NotImplementedError


class RunCancelled(RunEnded):
    """The flow run was cancelled; what was finished is kept, a re-run goes on from there."""

    def state(self) -> State[None]:
        """See `RunEnded.state`."""
        return Cancelled(message=str(self))


class Planned(RunEnded):
    """The run was only to be planned, and the plan is complete."""

    def __init__(self, plan: RunPlan, outputs: Path) -> None:
        super().__init__("this run was only planned")
        self._plan = plan
        self._outputs = outputs

    def state(self) -> State[None]:
        """See `RunEnded.state`: published, *Failed* where what it needs is not there."""
        return publish_plan(self._plan, self._outputs)
