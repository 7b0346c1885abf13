"""The Prefect task that makes items, on whatever host it runs: this one, or a cluster's.

`HostContext` is what it finds there: the run's state folder, and that host's slots.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.context import TaskRunContext
from prefect.logging import get_run_logger
from prefect.runtime import task_run
from prefect.states import Cancelled, Completed, Failed

from core.addresses.remote import AddressError
from core.errors import MaskflowError
from core.text import one_line
from tasks.devices.pool import DeviceSlots, HeldSlot, SlotsClosed
from tasks.devices.process import WorkerDied
from tasks.devices.worker import ItemCrashed
from tasks.items import Made, Order, Stage, run_name
from tasks.preparing import found, remove
from tasks.store import RunStore

BATCH_S = 10.0
"""A task takes no further item of its batch after so long: the rest is given to whichever slot is free."""
_TRIES = 3
_NAMED = 8  # so many items of a task each have lines of their own in the log
Log = logging.Logger | logging.LoggerAdapter[Any]


@dataclass(frozen=True, eq=False)
class HostContext:
    """What a flow run has on this host.

    Attributes:
        host: tells hosts apart in the log; empty: there is only one.
        localised: an item's request with the paths of this host; what it names is here then.
    """

    store: RunStore
    slots: DeviceSlots
    host: str = ""
    localised: Callable[[Order], AbstractContextManager[dict[str, Any]]] = lambda order: nullcontext(order.request)


host_contexts: dict[UUID, Callable[[], HostContext]] = {}
"""The context of each flow run that has one in this process, by the run's id."""


def _here() -> HostContext:
    context = TaskRunContext.get()
    if context is None or context.task_run.flow_run_id not in host_contexts:
        raise RuntimeError("items are made inside `item_run`")
    return host_contexts[context.task_run.flow_run_id]()


def batch_name(orders: Sequence[Order]) -> str:
    """What a task run is called: as its item, or its first and last one."""
    first = run_name(orders[0].name)
    return first if len(orders) == 1 else run_name(f"{len(orders)} items: {first} … {run_name(orders[-1].name)}")


def _task_run_name() -> str:
    """Called by Prefect, which would take a text for a template."""
    return batch_name(task_run.parameters["orders"])


# What is there and valid is found by its manifest: Prefect's own record of a result would be a second one, and proves
# nothing about files.
@task(task_run_name=_task_run_name, cache_policy=NO_CACHE, persist_result=False)
def make_items(orders: list[Order], stage: Stage) -> State[list[Made]]:
    """Make items one after another in one slot's worker.

    Returns:
        What became of each that was tried, in their order; *Cached* where all were there already, *Failed* with the
        first reason where one failed. What is missing was not tried within `BATCH_S`.
    """
    here, log = _here(), get_run_logger()
    there = [_there(here.store, stage, order) for order in orders]
    if all(there):  # made by another run, or by one that was killed before its flow heard of it
        return Completed(name="Cached", data=there)
    try:
        with here.slots.held(sum(order.expected_s for order in orders)) as held:
            made = _make_in_turn(here, held, stage, orders, log)
    except SlotsClosed as error:
        return Cancelled(message=str(error))
    failed = [one for one in made if one.record is None]
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        return Failed(message=f"{failed[0].reason}{more}", data=made)
    return Completed(data=made)


def _make_in_turn(here: HostContext, held: HeldSlot, stage: Stage, orders: Sequence[Order], log: Log) -> list[Made]:
    device = f"{here.host} {held.slot.device}".lstrip()
    few = len(orders) <= _NAMED
    if not few:
        log.info("[%s] Processing: %s", device, batch_name(orders))
    began_s = time.monotonic()
    made: list[Made] = []
    for order in orders:
        if made and time.monotonic() - began_s > BATCH_S:
            break
        if few:
            log.info("[%s] Processing: %s", device, one_line(order.name))
        one = _there(here.store, stage, order) or _make(here, held, stage, order, device, log)
        made.append(one)
        if few and one.record is not None:
            _log_completed(stage, order, one.record, device, log)
    done = [order for order, one in zip(orders, made, strict=False) if one.record is not None]
    if done and not few:
        log.info("[%s] ✓ Completed: %s", device, batch_name(done))
    return made


def _log_completed(stage: Stage, order: Order, record: dict[str, Any], device: str, log: Log) -> None:
    log.info("[%s] ✓ Completed: %s", device, one_line(order.name))
    described = stage.describe({name: value for name, value in record.items() if name != "ran"})
    notes = record.get("ran", {}).get("out_of_memory", [])
    for line in [*described, *(f"out of memory: {note}" for note in notes)]:
        log.info("[%s]   - %s", device, one_line(line))


def _make(
    here: HostContext,
    held: HeldSlot,
    stage: Stage,
    order: Order,
    device: str,
    log: Log,
) -> Made:
    """One item; a worker that dies is a failed try, worth another."""
    shown, folder = one_line(order.name), here.store.item_folder(stage.task_name, order.key)
    for attempt in range(1, _TRIES + 1):
        if attempt > 1:
            log.info("[%s] Processing: %s", device, shown)
        try:
            with here.localised(order) as request:
                record = held.make_item(stage.function, request, str(folder), order.key, order.inputs)
        except SlotsClosed:
            raise
        except WorkerDied as error:
            log.warning("[%s] %s: %s (try %d of %d)", device, shown, error, attempt, _TRIES)
            reason = str(error)
            continue
        except MaskflowError as error:
            reason = one_line(str(error))
            log.warning("[%s] ✗ Failed: %s: %s", device, shown, reason)
            if isinstance(error, ItemCrashed):
                log.debug(error.traceback)
        except Exception as error:
            log.exception("[%s] ✗ Failed: %s", device, shown)
            reason = f"{type(error).__name__}: {error}"
        else:
            ran = record.setdefault("ran", {})
            ran["device"] = held.slot.device_id
            held.learn(order.expected_s, float(ran.get("seconds", 0.0)))
            return _delivered(here.store, stage, Made(order.key, record))
        break
    return Made(order.key, None, one_line(reason))


def _there(store: RunStore, stage: Stage, order: Order) -> Made | None:
    """What is there of an item; of one that is to be made anew nothing, and nothing is left."""
    try:
        if not order.anew:
            return found(store, stage, order.key)
        remove(store, stage, order.key)
    except AddressError as error:
        return Made(order.key, None, f"it cannot be delivered: {error}")
    return None


def _delivered(store: RunStore, stage: Stage, made: Made) -> Made:
    """An item that has been made, where the run's outputs belong."""
    if store.remote is not None:
        try:
            store.remote.push(stage.task_name, store.item_folder(stage.task_name, made.key))
        except AddressError as error:
            return Made(made.key, None, f"made, but not delivered: {error}")
    return made
