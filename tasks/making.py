"""The Prefect task that makes an item, on whatever host it runs: this one, or a cluster's.

`HostContext` is what it finds there: the run's state folder, and that host's slots.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect import task
from prefect.cache_policies import CachePolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.logging import get_run_logger
from prefect.runtime import task_run
from prefect.states import Cancelled, Completed, Failed
from prefect.tasks import Task

from core.errors import MaskflowError
from core.store.manifest import read_valid
from core.text import one_line
from tasks.devices.pool import DeviceSlots, SlotsClosed
from tasks.devices.process import WorkerDied
from tasks.devices.slots import Slot
from tasks.devices.worker import ItemCrashed
from tasks.items import Stage, run_name
from tasks.store import RunStore


@dataclass(frozen=True, eq=False)
class HostContext:
    """What a flow run has on this host. `host` tells hosts apart in the log; empty: there is only one."""

    store: RunStore
    slots: DeviceSlots
    host: str = ""


host_contexts: dict[UUID, Callable[[], HostContext]] = {}
"""The context of each flow run that has one in this process, by the run's id."""


def _here() -> HostContext:
    context = TaskRunContext.get()
    if context is None or context.task_run.flow_run_id not in host_contexts:
        raise RuntimeError("items are made inside `item_run`")
    return host_contexts[context.task_run.flow_run_id]()


class _ContentKey(CachePolicy):
    """The item's key and nothing else: not the path, not the flow run, not the device."""

    def compute_key(
        self,
        task_ctx: TaskRunContext,  # noqa: ARG002 - Prefect calls it by these names
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> str | None:
        return str(inputs["key"])


def _worth_another(_task: Task[..., Any], _task_run: TaskRun, state: State[Any]) -> bool:
    error = state.result(raise_on_failure=False)
    return isinstance(error, WorkerDied) and not _here().slots.closed


def _task_run_name() -> str:
    """Called by Prefect, which would take a text for a template."""
    return run_name(str(task_run.parameters["name"]))


@task(
    task_run_name=_task_run_name,
    cache_policy=_ContentKey(),
    persist_result=True,
    result_serializer="json",
    retries=2,
    retry_condition_fn=_worth_another,
)
def make_item(key: str, name: str, stage: Stage, request: dict[str, Any], inputs: dict[str, Any], cost: float) -> Any:
    """Make one item in a device worker; its record, or a failed state that says why."""
    here, log = _here(), get_run_logger()
    folder = here.store.item_folder(stage.task_name, key)
    done = read_valid(folder, key, here.store.digests.file)
    if done is not None:  # finished by a run that was killed before Prefect heard of it
        return Completed(name="Cached", data=done.record)
    device, shown = "", one_line(name)

    def started(slot: Slot) -> None:
        nonlocal device
        device = f"{here.host} {slot.device}".lstrip()
        log.info("[%s] Processing: %s", device, shown)

    try:
        record = here.slots.run_item(cost, started, stage.function, request, str(folder), key, inputs)
    except SlotsClosed as error:
        return Cancelled(message=str(error))
    except WorkerDied as error:
        log.warning("[%s] %s: %s", device, shown, error)
        raise
    except MaskflowError as error:
        reason = one_line(str(error))
        log.warning("[%s] ✗ Failed: %s: %s", device, shown, reason)
        if isinstance(error, ItemCrashed):
            log.debug(error.traceback)
        return Failed(message=reason)
    except Exception as error:
        log.exception("[%s] ✗ Failed: %s", device, shown)
        return Failed(message=one_line(f"{type(error).__name__}: {error}"))
    log.info("[%s] ✓ Completed: %s", device, shown)
    ran = record.get("ran", {})
    described = stage.describe({name: value for name, value in record.items() if name != "ran"})
    for line in [*described, *(f"out of memory: {note}" for note in ran.get("out_of_memory", []))]:
        log.info("[%s]   - %s", device, one_line(line))
    return Completed(data=record)
