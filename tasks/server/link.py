"""Our own line to the Prefect server: for leases, artifacts, progress and noticing that a run was cancelled.

Prefect's client tries again and again, up to hours. Work must not wait for that: here each call has a short time-out
and few tries, a server that does not answer for a while counts as lost, and nothing is requested of a lost server but
whether it is back. What is to be recorded waits meanwhile.
"""

import logging
import random
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from contextlib import suppress
from typing import TypeVar

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.context import SettingsContext, get_settings_context
from prefect.logging import get_logger
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, Settings, get_current_settings

from core.errors import MaskflowError

T = TypeVar("T")
Call = Callable[[SyncPrefectClient], T]
_ANSWERS_WITHIN_S = 8.0
_LOST_AFTER_S = 10.0  # and two calls
_ASK_AGAIN_S = 2.0
_SILENT_S = 5.0
_THREADS = 4
_MOST_TRIES = 8
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_LOCKED = 503  # SQLite's answer to what meets another write: nothing was done
_TRY_AGAIN_AFTER_S = (0.05, 0.1, 0.2, 0.4)
_log = get_logger("maskflow.server")


class _Busy(httpx.HTTPStatusError):
    """An answer that says that the server cannot do it now."""


class NoAnswer(MaskflowError):
    """The server did not answer in time, or said that it is too busy."""


class ServerLink:
    """One for each server and process, see `server_link`."""

    def __init__(self, url: str) -> None:
        self.url = url
        settings = {"timeout": httpx.Timeout(_ANSWERS_WITHIN_S), "event_hooks": {"response": [_raise_if_busy]}}
        self._client = get_client(httpx_settings=settings, sync_client=True).__enter__()
        self._prefect = get_current_settings().client
        self._retries = self._prefect.max_retries
        one_try = get_current_settings().copy_with_update(updates={PREFECT_CLIENT_MAX_RETRIES: 0})
        self._threads = ThreadPoolExecutor(_THREADS, "prefect-server", initializer=_use, initargs=(one_try,))
        self._lock = threading.Lock()
        self._failing_since_s: float | None = None
        self._ask_again_s = 0.0
        self._pending: OrderedDict[Hashable, Call[object]] = OrderedDict()
        self._tries: Counter[Hashable] = Counter()
        self._recording = threading.Lock()
        self.lost = False
        self.was_lost = False
        self._requested_s = time.monotonic()
        threading.Thread(target=self._listen, name="prefect-server-monitor", daemon=True).start()

    def _listen(self) -> None:
        """Until the process ends, also while Prefect itself waits for the server: a silent server must be noticed."""
        while True:
            time.sleep(_ASK_AGAIN_S)
            if self.lost or self._failing_since_s is not None or time.monotonic() - self._requested_s > _SILENT_S:
                with suppress(Exception):
                    self.ask(_check_health)

    def ask(self, call: Call[T], too_late: Callable[[T], None] | None = None) -> T:
        """What the server answers to a call.

        Args:
            call: made with the client, in a thread.
            too_late: gets an answer that comes when nobody waits for it any more.

        Raises:
            NoAnswer: it does not answer; at once while it is lost.
            Exception: what the call raises where the server answers, as `ObjectNotFound`.
        """
        with self._lock:
            self._requested_s = time.monotonic()
            if self.lost and time.monotonic() < self._ask_again_s:
                raise NoAnswer(f"the Prefect server {self.url} is lost")
            requested_s = time.monotonic()
            self._ask_again_s = requested_s + _ASK_AGAIN_S
        try:
            future = self._threads.submit(_try_again_if_busy, call, self._client, requested_s + _ANSWERS_WITHIN_S)
            answer = future.result(_ANSWERS_WITHIN_S)
        except (httpx.HTTPError, TooLate, OSError, ValueError) as error:  # the last: what answers is no Prefect server
            if isinstance(error, httpx.HTTPStatusError) and not isinstance(error, _Busy):
                self._answered()
                raise
            if isinstance(error, TooLate) and not future.cancel() and too_late is not None:
                future.add_done_callback(lambda done: None if done.exception() else too_late(done.result()))
            self._failed(error, requested_s)
            raise NoAnswer(f"the Prefect server {self.url} does not answer ({error or type(error).__name__})") from None
        except Exception:
            self._answered()
            raise
        self._answered()
        return answer

    def record(self, name: Hashable, call: Call[object]) -> None:
        """Have something recorded soon, in order; what was to be recorded under the same name is replaced.

        Kept while the server is lost, and recorded when it is back. Never waits.
        """
        with self._lock:
            self._pending[name] = call
        self._threads.submit(self._record_pending)

    def flush(self, within_s: float) -> int:
        """Wait until all is recorded, or the server is lost; how much is not recorded."""
        deadline_s = time.monotonic() + within_s
        while self._pending and time.monotonic() < deadline_s:
            if not self._recording.locked():
                self._threads.submit(self._record_pending)
            time.sleep(0.05 if self._failing_since_s is None else 0.5)
        return len(self._pending)

    def _record_pending(self) -> None:
        if not self._recording.acquire(blocking=False):
            return
        try:
            while self._pending and not (self.lost and time.monotonic() < self._ask_again_s):
                name, call = next(iter(self._pending.items()))
                self._tries[name] += 1
                requested_s = time.monotonic()
                try:
                    call(self._client)
                except (httpx.TransportError, OSError) as error:
                    self._failed(error, requested_s)
                    return
                except Exception as error:  # noqa: BLE001 - what cannot be recorded must not keep the rest
                    if isinstance(error, _Busy) and self._tries[name] < _MOST_TRIES:
                        self._failed(error, requested_s)
                        self._pending.move_to_end(name)
                        return
                    _log.warning("Not recorded on the Prefect server: %s", error)
                self._answered()
                with self._lock:
                    self._tries.pop(name, None)
                    if self._pending.get(name) is call:
                        del self._pending[name]
        finally:
            self._recording.release()

    def _answered(self) -> None:
        with self._lock:
            self._failing_since_s = None
            back, self.lost = self.lost, False
        if back:
            self._prefect.max_retries = self._retries
            logging.raiseExceptions = True
            _log.warning("The Prefect server %s answers again", self.url)
            self._threads.submit(self._record_pending)

    def _failed(self, error: BaseException, requested_s: float) -> None:
        with self._lock:
            again = self._failing_since_s is not None
            self._failing_since_s = self._failing_since_s if again else requested_s
            newly = again and not self.lost and time.monotonic() - (self._failing_since_s or 0) >= _LOST_AFTER_S
            self.lost = self.lost or newly
            self.was_lost = self.was_lost or newly
        if newly:
            # Prefect reads this before each try: so its own calls, which hold up the run, give up too.
            self._prefect.max_retries = 0
            logging.raiseExceptions = False  # its handlers would print that they cannot reach the server
            _log.warning(
                "The Prefect server %s is lost (%s): the run goes on without it. The slot locks alone count now; what "
                "became of the run is recorded if it is back in time",
                self.url,
                str(error) or type(error).__name__,
            )


def _raise_if_busy(response: httpx.Response) -> None:
    """Before Prefect's client sees the answer: it would sleep for two seconds, also where it makes no other try."""
    if response.status_code in _BUSY:
        response.read()
        request = response.request
        what = f"HTTP {response.status_code} for {request.method} {request.url.path}: {response.text[:200]}"
        raise _Busy(what, request=request, response=response)


def _try_again_if_busy(call: Call[T], client: SyncPrefectClient, until_s: float) -> T:
    """SQLite refuses at once what meets another write, and takes it a moment later."""
    for wait_s in _TRY_AGAIN_AFTER_S:
        try:
            return call(client)
        except _Busy as error:
            if error.response.status_code != _LOCKED or time.monotonic() + wait_s >= until_s:
                raise
        time.sleep(wait_s * random.uniform(0.5, 1.5))  # noqa: S311 - two that met must not meet again
    return call(client)


def _check_health(client: SyncPrefectClient) -> None:
    error = client.api_healthcheck()
    if error is not None:
        raise error


_of_threads = threading.local()


def _use(settings: Settings) -> None:
    """For calls from this thread: Prefect reads its settings from the thread's context, while this object lives."""
    _of_threads.context = SettingsContext(profile=get_settings_context().profile, settings=settings)
    _of_threads.context.__enter__()


_links: dict[str, ServerLink] = {}
_making = threading.Lock()


def server_link() -> ServerLink:
    """The link to the configured server."""
    url = str(PREFECT_API_URL.value())
    with _making:
        if url not in _links:
            _links[url] = ServerLink(url)
        return _links[url]


def is_lost() -> bool:
    """Whether a server this process has used is lost."""
    return any(link.lost for link in _links.values())
