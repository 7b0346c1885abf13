"""What a run needs of whoever makes its items."""

from collections.abc import Callable
from typing import Any, Protocol

from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Failed
from prefect.tasks import Task

OnFinalState = Callable[[State[Any]], None]


class Crew(Protocol):
    """Who makes the items: this host's slots, or a cluster's nodes."""

    @property
    def devices(self) -> list[str]:
        """What each slot runs on, see `Slot.device_id`: so many tasks can be at work at once, as far as is known."""
        ...

    @property
    def closed(self) -> bool:
        """Whether nothing is made any more, because the run was cancelled."""
        ...

    def submit(self, task: Task[..., Any], parameters: dict[str, Any], on_final_state: OnFinalState) -> None:
        """Have a task run; `on_final_state` gets its final state, from some thread, whatever happens."""
        ...

    def close(self) -> None:
        """End what is being made, at once; from any thread, more than once."""
        ...


def final_state(future: PrefectFuture[Any]) -> State[Any]:
    """Of a future that is done: what became of its task, also where Prefect's engine itself failed."""
    try:
        future.wait()  # it is done; this lets it know its final state
        state = future.state
    except BaseException as error:  # noqa: BLE001 - an item without a final state would be waited for for ever
        return Failed(message=f"it could not be run: {type(error).__name__}: {error}")
    return state if state.is_final() else Failed(message=f"it ended without a result ({state.name})")
