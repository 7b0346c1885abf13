"""Running the command line as a user does, against the tests' server: in this process, or in one of its own."""

import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from flows.cli.main import run
from tasks.server import link

KILLING = Path(__file__).parent / "killing"
_started: "list[subprocess.Popen[str]]" = []


@dataclass(frozen=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def processed(self) -> list[str]:
        """Names of the items that were worked on, in order; an item that was tried twice stands there twice."""
        return [Path(name).name for name in re.findall(r"\[\S+(?: \d+)?\] Processing: (.+)", self.err)]


def maskflow(*arguments: object, kill_at: str | None = None, hang_at: str | None = None) -> Done:
    """Run `maskflow ARGUMENTS` to its end: in this process, or, to be disturbed at a moment, in one of its own."""
    if kill_at is not None or hang_at is not None:
        return finish(start(*arguments, kill_at=kill_at, hang_at=hang_at))
    with _captured(1) as out, _captured(2) as err, redirect_stdout(out), redirect_stderr(err), _state_restored():
        os.environ["COLUMNS"] = "200"
        code = run([str(argument) for argument in arguments])
        return Done(code, _read(out), _read(err))


@contextmanager
def _captured(descriptor: int) -> Iterator[TextIO]:
    """What this process and those that it starts, as device workers, write to a file descriptor."""
    saved = os.dup(descriptor)
    try:
        with tempfile.TemporaryFile("w+", buffering=1, encoding="utf-8") as file:
            os.dup2(file.fileno(), descriptor)
            try:
                yield file
            finally:
                os.dup2(saved, descriptor)
    finally:
        os.close(saved)


def _read(file: TextIO) -> str:
    file.flush()
    file.seek(0)
    return file.read()


@contextmanager
def _state_restored() -> Iterator[None]:
    """What a command changes in its process, which ends with it elsewhere, does not reach the next test."""
    environment, raising, loggers = dict(os.environ), logging.raiseExceptions, ("prefect.flows", "prefect._internal")
    levels = {name: logging.getLogger(name).level for name in loggers}
    for one in link._links.values():
        one.was_lost = False
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        logging.raiseExceptions = raising
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def start(*arguments: object, kill_at: str | None = None, hang_at: str | None = None) -> "subprocess.Popen[str]":
    """Start `maskflow ARGUMENTS` in a process group of its own; what the moments are stands in `killing`."""
    environment = dict(os.environ, COLUMNS="200")
    for variable, moment in (("KILL_AT", kill_at), ("HANG_AT", hang_at)):
        if moment is not None:
            environment |= {variable: moment, "PYTHONPATH": str(KILLING)}
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    _started.append(process)
    return process


def finish(process: "subprocess.Popen[str]") -> Done:
    """Wait for a started command."""
    out, err = process.communicate(timeout=240)
    return Done(process.returncode, out, err)


def end_all() -> None:
    """Kill what was started and not finished, so that a test that fails leaves nothing to the next one."""
    while _started:
        with _started.pop() as process:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
