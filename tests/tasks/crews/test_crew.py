"""What becomes of a task, also where Prefect's engine itself fails."""

from typing import Any, cast

import pytest
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed, Pending

from tasks.crews.crew import final_state


class _Future:
    def __init__(self, state: object, error: BaseException | None = None) -> None:
        self._state = state
        self._error = error

    def wait(self) -> None:
        if self._error is not None:
            raise self._error

    @property
    def state(self) -> object:
        return self._state


def _state(future: _Future) -> Any:
    return final_state(cast("PrefectFuture[Any]", future))


@pytest.mark.parametrize("error", [ValueError("Single '}' in format string"), KeyboardInterrupt(), SystemExit(3)])
def test_an_engine_that_fails_is_a_failed_item(error: BaseException) -> None:
    state = _state(_Future(Pending(), error))
    assert state.is_failed()
    assert str(state.message).startswith(f"it could not be run: {type(error).__name__}")


def test_a_future_without_a_result_is_a_failed_item() -> None:
    assert _state(_Future(Pending())).message == "it ended without a result (Pending)"


def test_a_final_state_is_kept() -> None:
    state: State[Any] = Completed(data=1)
    assert _state(_Future(state)) is state
