"""Each device's Prefect concurrency limit: seen and adjusted in the UI, shared with everything on the server.

The file lock is what keeps two items out of one slot; the limit lets people see and steer. A server that cannot be
reached any more therefore does not stop work.
"""

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.exceptions import MissingContextError, ObjectAlreadyExists, ObjectNotFound, PrefectHTTPStatusError
from prefect.logging import get_logger, get_run_logger

from tasks.devices.slots import Slot
from tasks.server.link import NoAnswer, ServerLink, server_link

_LEASE_S = 60.0  # Prefect's shortest
_RENEW_S = 20.0
_USED_UP, _DRAINED = 423, 422
_LONG_S = 120.0  # leases run out after half of that
_log = get_logger("maskflow.devices")


def register_limits(client: SyncPrefectClient, slots: Sequence[Slot]) -> dict[str, int]:
    """Make the limits these slots need where they are missing; existing ones stay as people set them.

    Returns:
        Each limit's name and the number of items it admits.
    """
    admitted = {}
    for name, count in Counter(slot.limit for slot in slots).items():
        try:
            admitted[name] = client.read_global_concurrency_limit_by_name(name).limit
        except ObjectNotFound:
            # Generous: the slot locks keep the true count, and a small run must not limit later, larger ones.
            enough = max(count, os.cpu_count() or 1)
            with suppress(ObjectAlreadyExists, PrefectHTTPStatusError):  # by another run, this very moment
                client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=enough))
            admitted[name] = client.read_global_concurrency_limit_by_name(name).limit
    return admitted


def _run_log() -> logging.Logger | logging.LoggerAdapter[logging.Logger]:
    """The log of the task that asks for a lease, where people look for why it waits."""
    try:
        return get_run_logger()
    except MissingContextError:
        return _log


class DeviceLimits:
    """Leases on the devices' limits, renewed by a thread while they are held."""

    def __init__(self, slots: Sequence[Slot], link: ServerLink | None = None) -> None:
        self._slots = list(slots)
        self._link = link or server_link()
        self._held: set[str] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._warned: set[str] = set()
        self._refused_since_s: dict[str, float] = {}
        with suppress(NoAnswer):
            self._announce(self._link.ask(lambda client: register_limits(client, slots)), slots)
        self._renewing = threading.Thread(target=self._renew, name="renew-leases", daemon=True)
        self._renewing.start()

    def _announce(self, admitted: dict[str, int], slots: Sequence[Slot]) -> None:
        for name, wanted in Counter(slot.limit for slot in slots).items():
            if admitted[name] < wanted:
                _log.warning(
                    "Concurrency limit %s admits %d at once, %d slots were requested; raise it in the UI to use all",
                    name,
                    admitted[name],
                    wanted,
                )

    def acquire(self, limit: str, register: bool = True) -> str | None:
        """Take a lease at once.

        Args:
            limit: its name.
            register: make the limit again where somebody has deleted it.

        Returns:
            The lease's id, `""` when the server is lost (the lock alone counts then), or None when the limit is used
            up or drained, or the server is slow: another try is worth it.
        """
        try:
            response = self._link.ask(
                lambda client: client.increment_concurrency_slots_with_lease([limit], 1, "concurrency", _LEASE_S),
                too_late=lambda response: self._return_late(str(response.json()["lease_id"])),
            )
        except NoAnswer:
            return "" if self._link.lost else None
        except httpx.HTTPStatusError as error:
            if error.response.status_code in (_USED_UP, _DRAINED):
                self._tell_once(limit, error.response.status_code)
                return None
            _log.warning("No lease on %s (%s); the slot lock alone counts", limit, error)
            return ""
        granted = response.json()
        lease = str(granted["lease_id"])
        with self._lock:
            self._held.add(lease)
            self._refused_since_s.pop(limit, None)
        if not granted["limits"]:  # Prefect leases what does not exist
            self.release(lease)
            return self._made_again(limit) if register else None
        return lease

    def _return_late(self, lease: str) -> None:
        """A lease that was granted when nobody waited for it any more."""
        self._link.record(lease, lambda client: client.release_concurrency_slots_with_lease(UUID(lease)))

    def _made_again(self, limit: str) -> str | None:
        _run_log().warning("Concurrency limit %s was missing: it is made again", limit)
        try:
            self._link.ask(lambda client: register_limits(client, self._slots))
        except (NoAnswer, httpx.HTTPError, ObjectNotFound):
            return None
        return self.acquire(limit, register=False)

    def release(self, lease: str) -> bool:
        """Return a lease; one that is gone already is no error. Whether the server knows of it."""
        with self._lock:
            self._held.discard(lease)
        try:
            lease_id = UUID(lease)
            self._link.ask(lambda client: client.release_concurrency_slots_with_lease(lease_id))
        except NoAnswer:
            return False
        except (httpx.HTTPError, ObjectNotFound, ValueError):
            pass  # it has run out, or is no lease
        return True

    def close(self) -> None:
        """Return every lease still held and stop renewing."""
        self._stopped.set()
        with self._lock:
            held = list(self._held)
        for lease in held:
            self.release(lease)

    def _renew(self) -> None:
        while not self._stopped.wait(_RENEW_S):
            with self._lock:
                held = list(self._held)
            for lease in held:
                try:
                    self._renew_one(UUID(lease))
                except Exception as error:  # noqa: BLE001 - the others have to be renewed whatever became of it
                    _log.debug("Lease %s could not be renewed: %s", lease, error)

    def _renew_one(self, lease: UUID) -> None:
        self._link.ask(lambda client: client.renew_concurrency_lease(lease, _LEASE_S))

    def _tell_once(self, limit: str, status: int) -> None:
        now_s = time.monotonic()
        since_s = self._refused_since_s.setdefault(limit, now_s)
        if limit not in self._warned:
            self._warned.add(limit)
            state = "is set to 0 (drained)" if status == _DRAINED else "is used up"
            _run_log().info("Concurrency limit %s %s: waiting", limit, state)
        elif status == _USED_UP and now_s - since_s > _LONG_S and f"long {limit}" not in self._warned:
            self._warned.add(f"long {limit}")
            _run_log().warning(
                "Concurrency limit %s is used up for %d s now: by other programs, or by leases that its server forgot "
                "when it was killed; then `prefect gcl update %s --active-slots 0` frees them",
                limit,
                now_s - since_s,
                limit,
            )
