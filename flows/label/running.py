"""Runs that are started from the page: real flow runs, in processes of their own that outlive it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from core.store.atomic import write_text

_LINES = 40
_FLOWS = ("track-videos", "annotate-long-video")


class _Known(BaseModel):
    """A run, on disk: a page that is started anew finds it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    pid: int
    born_s: float
    command: list[str]


class Runs:
    """At most one run at a time. What it prints goes to a file, from which the page shows the end.

    Args:
        folder: where runs are noted.
    """

    def __init__(self, folder: Path) -> None:
        self._note = folder / "label_run.json"
        self._log = folder / "label_run.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = Lock()

    def start(self, words: Sequence[str], folder: Path) -> None:
        """Start `maskflow WORDS` in a folder. Raises `ValueError` where one is at work."""
        with self._starting:
            self._start(words, folder)

    def _start(self, words: Sequence[str], folder: Path) -> None:
        if words[0] not in _FLOWS:
            raise ValueError(f"{words[0]} is no run that can be made again here")
        if self.state()["state"] == "running":
            raise ValueError("a run is at work: wait for it, or cancel it")
        self._note.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "flows.cli.in_background", *words],  # -P: no module of that folder is run
                cwd=folder,
                env={**os.environ, "COLUMNS": "120", "MASKFLOW_PROGRESS_EVERY_S": "2"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        known = _Known(
            pid=self._process.pid, born_s=_born_s(self._process.pid) or time.time(), command=["maskflow", *words]
        )
        write_text(self._note, known.model_dump_json())

    def cancel(self) -> None:
        """End the run as Ctrl-C does: what is finished is kept."""
        known = self._known()
        if known is not None and self._is_alive(known):
            with suppress(ProcessLookupError):
                os.kill(known.pid, signal.SIGINT)

    def state(self) -> dict[str, Any]:
        """`state`: none, running or ended; `code`, where it is known; the `command`; and the last `lines` printed."""
        known = self._known()
        if known is None:
            return {"state": "none", "lines": []}
        alive = self._is_alive(known)
        code = None if self._process is None else self._process.poll()
        return {
            "state": "running" if alive else "ended", "code": code, "command": known.command, "lines": self._lines(),
        }  # fmt: skip

    def _known(self) -> _Known | None:
        try:
            return _Known.model_validate_json(self._note.read_bytes())
        except (OSError, ValidationError, json.JSONDecodeError):
            return None

    def _is_alive(self, known: _Known) -> bool:
        if self._process is not None and self._process.pid == known.pid:
            return self._process.poll() is None
        return _born_s(known.pid) == known.born_s

    def _lines(self) -> list[str]:
        try:
            with self._log.open(encoding="utf-8", errors="replace") as lines:
                return [line.rstrip() for line in deque(lines, _LINES)]
        except OSError:
            return []


def _born_s(pid: int) -> float | None:
    """When the process began; None: it is not there, or has ended."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None
