"""Parameters are checked once a run: by the command line before it starts a server, else by the flow."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

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
