"""Parameters are checked once a run: by the command line before it starts a server, else by the flow."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar

from prefect import Flow

P = ParamSpec("P")
Plan = TypeVar("Plan")
_checked: ContextVar[tuple[Callable[..., Any], Any] | None] = ContextVar("checked", default=None)


@contextmanager
def checked(check: Callable[..., Plan], plan: Plan) -> Iterator[None]:
    """Within, `check` gives this plan, which it has made of the same parameters already."""
    token = _checked.set((check, plan))
    try:
        yield
    finally:
        _checked.reset(token)


def once_a_run(check: Callable[P, Plan]) -> Callable[P, Plan]:
    """A flow's `check`, but for a plan that it has made already, see `checked`."""

    @wraps(check)
    def plan(*args: P.args, **kwargs: P.kwargs) -> Plan:
        made = _checked.get()
        if made is not None and made[0] is plan:
            found: Plan = made[1]
            return found
        return check(*args, **kwargs)

    return plan


def plan_of(flow: Flow[..., Any], check: Callable[..., Plan], parameters: dict[str, Any]) -> Plan:
    """What a flow's `check` makes of its parameters, defaults included. Raises `RefusedInput`."""
    bound = signature(flow.fn).bind(**parameters)
    bound.apply_defaults()
    wanted = signature(check).parameters
    return check(**{name: value for name, value in bound.arguments.items() if name in wanted})
