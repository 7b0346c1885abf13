"""Parameters are checked once a run: by the command line before it starts a server, else by the flow."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
Plan = TypeVar("Plan")
_plan: ContextVar[object] = ContextVar("plan", default=None)


@contextmanager
def checked(plan: object) -> Iterator[None]:
    """Within, the flow that is run uses this plan, which was made of the same parameters."""
    token = _plan.set(plan)
    try:
        yield
    finally:
        _plan.reset(token)


def once_a_run(check: Callable[P, Plan]) -> Callable[P, Plan]:
    """A flow's `check`, but for the plan that `checked` has."""

    @wraps(check)
    def plan(*args: P.args, **kwargs: P.kwargs) -> Plan:
        made = _plan.get()
        return check(*args, **kwargs) if made is None else cast(Plan, made)

    return plan
