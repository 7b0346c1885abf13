"""Running the command line as a user does: in a process of its own, against the tests' server."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

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


def end_all() -> None:
    """Kill what was started and not finished, so that a test that fails leaves nothing to the next one."""
    while _started:
        with _started.pop() as process:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def finish(process: "subprocess.Popen[str]") -> Done:
    """Wait for a started command."""
    out, err = process.communicate(timeout=240)
    return Done(process.returncode, out, err)


def maskflow(*arguments: object, kill_at: str | None = None, hang_at: str | None = None) -> Done:
    """Run `maskflow ARGUMENTS` to its end."""
    return finish(start(*arguments, kill_at=kill_at, hang_at=hang_at))
