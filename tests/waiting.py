"""Waiting for what happens in other processes, however busy the machine is."""

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

import psutil


def wait_until(condition: Callable[[], object], what: str, limit_s: float = 60) -> None:
    """Return as soon as the condition holds; fail with `what` where it does not within the limit."""
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s, f"waited in vain for {what}"
        time.sleep(0.05)


def is_running(process: psutil.Process) -> bool:
    """Whether it runs still; one that ended and whose parent has not requested yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def spawned_by(parent: "psutil.Process | subprocess.Popen[str]", recursive: bool = False) -> list[psutil.Process]:
    """The Python processes that `multiprocessing` has spawned in another process and that run."""
    found = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(parent.pid).children(recursive=recursive):
            with suppress(psutil.NoSuchProcess):  # includes one that is a zombie by now
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child)
    return found
