"""Runs of all five flows broken on purpose, and a table of what became of them.

    python -m benchmarks.fault_injection [server|kills|disk|others] [FLOW ...]

- server: the Prefect server is killed, stopped (SIGSTOP) or restarted at five moments of a run. Wanted: exit code 0,
  the same bytes, at most 60 s longer than an undisturbed run.
- kills: the run, one of its workers, or the Dask node it runs on is killed with SIGKILL at ten moments, and the run is
  made again. Wanted: the same bytes as an undisturbed run; a killed worker costs nothing.
- disk: the outputs are on a file system of 1, 2, 3 … blocks more, until a run comes through; then, with room, again.
  Wanted: exit code 1, a reason that names the file, never a hang, and the same bytes in the end.
- others: outputs that cannot be written, a clock set back, two runs at once on one output folder.
"""

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.table import Table
from rich.text import Text

from benchmarks.injection_flows import FLOWS, Case, make_case
from core.store.digests import sha256_file
from flows.cli.console import open_console
from tasks.server.address import SERVER_SETTINGS, is_healthy

_BEYOND_S = 60.0
_LONGEST_S = 300.0
_PROJECT = Path(__file__).parent.parent
_UNPRIVILEGED = 65_534


@dataclass
class Row:
    """One broken run: what was done to it, and whether all was as wanted."""

    flow: str
    what: str
    seconds: float
    code: int | None
    wrong: str


class Server:
    """A Prefect server that can be killed, stopped and started again."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "maskflow-server"
        self._folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._users = (self._folder / "users").open("w")
        fcntl.flock(self._users, fcntl.LOCK_SH)
        self.url = f"http://127.0.0.1:{self._port}/api"
        self._env = {**os.environ, **SERVER_SETTINGS, "PREFECT_HOME": str(home), "PREFECT_API_URL": self.url}
        self.start()
        while not is_healthy(self.url):
            time.sleep(0.3)

    def start(self) -> None:
        """Start it, or start it again on the same port."""
        command = [sys.executable, "-m", "tasks.server.temporary", str(self._folder), str(self._port)]
        with (self._folder / "log").open("a") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=_PROJECT, env=self._env)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait()

    def restart(self) -> None:
        """Kill it, and start it again after a while."""
        self.send(signal.SIGKILL)
        threading.Timer(5.0, self.start).start()

    def revive(self) -> None:
        """Whatever was done to it, have it answer again."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGCONT)
        if self._process.poll() is not None:
            self.start()
        while not is_healthy(self.url):
            time.sleep(0.3)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._users.close()


class Run:
    """A flow run as a process; `at` says how many items it has begun."""

    def __init__(self, command: list[str], env: dict[str, str], **options: object) -> None:
        self.begun = 0
        self.text = ""
        self._started_s = time.monotonic()
        self.process = subprocess.Popen(
            command, cwd=_PROJECT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True, **options,
        )  # type: ignore[call-overload]  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.text += line
            self.begun += "Processing:" in line

    def wait_for(self, begun: int) -> bool:
        """Until so many items were begun; whether the run is still there."""
        while self.begun < begun and self.process.poll() is None:
            time.sleep(0.02)
        return self.process.poll() is None

    def workers(self) -> list[psutil.Process]:
        """Its device workers."""
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.process.pid).children(recursive=True)
            return [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        return []

    def kill(self) -> None:
        """The whole run, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self, within_s: float = _LONGEST_S) -> tuple[int | None, float]:
        """Its exit code (None: it had to be killed) and how long it took."""
        try:
            code: int | None = self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()
            code = None
        self._reader.join(5)
        return code, time.monotonic() - self._started_s


def digests(case: Case, out: Path) -> dict[str, str]:
    """Of the files that must be the same, by name."""
    found = sorted(path for pattern in case.same for path in out.glob(pattern) if path.is_file())
    return {str(path.relative_to(out)): sha256_file(path) for path in found if ".maskflow" not in path.parts}


def difference(case: Case, out: Path, sound: dict[str, str]) -> str:
    """What of the outputs is not as in an undisturbed run."""
    found = digests(case, out)
    return ", ".join(sorted(name for name in sound.keys() | found.keys() if sound.get(name) != found.get(name)))


class Bench:
    """One flow: its inputs, a server, and what an undisturbed run gives and takes."""

    def __init__(self, flow: str, folder: Path) -> None:
        self.case = make_case(flow, folder / "in")
        self.folder = folder
        self.server = Server(folder / "prefect")
        own = {"PREFECT_HOME": folder / "prefect", "MASKFLOW_SLOT_LOCKS": folder / "locks"}
        self.env = {**os.environ, **{k: str(v) for k, v in own.items()}, "PREFECT_API_URL": self.server.url}
        self.env |= {"COLUMNS": "200", "XDG_CACHE_HOME": str(folder / "cache")}
        run = self.start(folder / "sound")
        code, self.seconds = run.end()
        self.begun = run.begun
        if code != 0:
            sys.exit(f"{flow}: an undisturbed run does not come through:\n{run.text[-2000:]}")
        self.sound = digests(self.case, folder / "sound")
        self._number = 0

    def out(self) -> Path:
        """A fresh output folder."""
        self._number += 1
        return self.folder / f"out{self._number}"

    def start(self, out: Path, *more: str, **options: object) -> Run:
        """Start the flow."""
        return Run([*self.case.command(out), *more], self.env, **options)

    def moments(self, count: int) -> list[int]:
        """Numbers of begun items, spread over a run."""
        return sorted({1 + place * (self.begun - 1) // max(1, count - 1) for place in range(count)})

    def row(self, what: str, run: Run, out: Path, code_wanted: int | None = 0, reported: str = "") -> Row:
        """Wait for a run that was disturbed, and see whether all is as wanted."""
        code, seconds = run.end()
        wrong = []
        if code is None:
            wrong.append("HANGS")
        elif code_wanted is not None and code != code_wanted:
            wrong.append(f"exit {code}: {(run.text.strip().splitlines() or [''])[-1][:120]}")
        if seconds > self.seconds + _BEYOND_S:
            wrong.append(f"{seconds - self.seconds:.0f} s longer")
        if code == 0 and (other := difference(self.case, out, self.sound)):
            wrong.append(f"other bytes: {other[:120]}")
        if reported and reported not in run.text:
            wrong.append(f"does not say: {reported}")
        if "Traceback (most recent call last)" in run.text:
            wrong.append("traceback")
        if wrong:
            print(f"--- {what}\n{run.text[-6000:]}\n---", file=sys.stderr, flush=True)
        return Row(self.case.name, what, seconds, code, "; ".join(wrong))

    def again(self, what: str, out: Path) -> Row:
        """The same run once more: it has to come through, with the same bytes."""
        return self.row(f"{what}, again", self.start(out), out)


def break_server(bench: Bench) -> Iterator[Row]:
    """Killed, stopped, restarted."""
    deeds: dict[str, Callable[[], None]] = {
        "killed": lambda: bench.server.send(signal.SIGKILL),
        "stopped": lambda: bench.server.send(signal.SIGSTOP),
        "restarted": bench.server.restart,
    }
    for name, deed in deeds.items():
        for moment in bench.moments(5):
            out = bench.out()
            run = bench.start(out)
            if run.wait_for(moment):
                deed()
            yield bench.row(f"server {name} at item {moment} of {bench.begun}", run, out)
            bench.server.revive()


def break_processes(bench: Bench) -> Iterator[Row]:
    """The run itself, and its workers."""
    for place in range(10):
        at_s = bench.seconds * (0.25 + 0.75 * place / 10)
        out = bench.out()
        run = bench.start(out)
        time.sleep(at_s)
        workers = run.workers()
        run.kill()
        time.sleep(0.5)
        left = [worker.pid for worker in workers if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE]
        row = bench.again(f"run killed after {at_s:.1f} s", out)
        row.wrong += f"; workers left: {left}" if left else ""
        yield row
    for moment in (bench.moments(10) * 10)[:10]:
        out = bench.out()
        run = bench.start(out)
        if run.wait_for(moment):
            for worker in run.workers()[-1:]:
                worker.kill()
        yield bench.row(f"a worker killed at item {moment}", run, out)
    yield from break_nodes(bench)


def break_nodes(bench: Bench) -> Iterator[Row]:
    """Dask nodes."""
    with _dask(bench.env) as (address, nodes):
        for moment in (bench.moments(10) * 10)[:10]:
            out = bench.out()
            run = bench.start(out, "--cluster", address)
            if run.wait_for(moment):
                nodes()[0].kill()  # its nanny starts another
            row = bench.row(f"a Dask node killed at item {moment}", run, out, code_wanted=None)
            yield row
            if row.code != 0:
                yield bench.again(f"a Dask node killed at item {moment}", out)


@contextmanager
def _dask(env: dict[str, str]) -> Iterator[tuple[str, Callable[[], list[psutil.Process]]]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    env = {**env, "DASK_DISTRIBUTED__WORKER__DAEMON": "False"}
    bin_folder = Path(sys.executable).parent
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": env, "cwd": _PROJECT}
    scheduler = subprocess.Popen(
        [str(bin_folder / "dask"), "scheduler", "--port", address.rpartition(":")[2], "--no-dashboard"], **quiet
    )  # type: ignore[call-overload]
    time.sleep(3)
    worker = subprocess.Popen(
        [str(bin_folder / "dask"), "worker", address, "--nworkers", "2", "--nthreads", "2", "--no-dashboard"], **quiet
    )  # type: ignore[call-overload]
    time.sleep(5)

    def nodes() -> list[psutil.Process]:
        return psutil.Process(worker.pid).children()

    try:
        yield address, nodes
    finally:
        for process in (worker, scheduler):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait()


def fill_disk(bench: Bench) -> Iterator[Row]:
    """Outputs on file systems that are full at ever later moments."""
    used = sum(path.stat().st_size for path in (bench.folder / "sound").rglob("*") if path.is_file())
    for percent in (5, 15, 30, 45, 60, 75, 90):
        out = bench.out()
        with _small_disk(out, used * percent // 100):
            row = bench.row(f"disk of {percent} % of what is needed", bench.start(out), out, code_wanted=None)
            if row.code not in (0, 1, 2):
                row.wrong += f"; exit {row.code}"
            yield row
            subprocess.run(["mount", "-o", f"remount,size={4 * used + 2**31}", str(out)], check=True)
            yield bench.again(f"disk of {percent} %, then enough", out)


@contextmanager
def _small_disk(folder: Path, size: int) -> Iterator[None]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={max(size, 4096)}", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def break_others(bench: Bench) -> Iterator[Row]:
    """Read-only outputs, a clock set back, two runs at once."""
    out = bench.out()
    out.mkdir()
    yield from _read_only(bench, out)
    out = bench.out()
    run = bench.start(out)
    yield bench.row("made", run, out)
    for path in out.rglob("*"):  # as if it had been made in a year from now
        os.utime(path, (time.time() + 3e7,) * 2, follow_symlinks=False)
    yield bench.again("clock set back", out)
    out = bench.out()
    one, other = bench.start(out), bench.start(out)
    rows = [bench.row("one of two runs at once", one, out), bench.row("the other", other, out)]
    for row in rows:
        row.wrong = re.sub(r"^\d+ s longer$", "", row.wrong)
    yield from rows


def _read_only(bench: Bench, out: Path) -> Iterator[Row]:
    """A delivered file's folder that cannot be written any more; as root permissions do not count, so a mount."""
    bench.start(out).end()
    state = out / ".maskflow"
    for path in out.iterdir():
        if path != state:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    subprocess.run(["mount", "--bind", str(out), str(out)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(out)], check=True)
        run = bench.start(out)
        yield bench.row("read-only output", run, out, code_wanted=2, reported="can be written")
    finally:
        subprocess.run(["umount", "-l", str(out)], check=True)
    yield bench.again("read-only output, then not", out)


_KINDS = {"server": break_server, "kills": break_processes, "disk": fill_disk, "others": break_others}


def main(words: list[str]) -> int:
    """Run what is requested; the number of rows that are not as wanted."""
    kinds = [word for word in words if word in _KINDS] or list(_KINDS)
    flows = [word for word in words if word in FLOWS] or list(FLOWS)
    rows = []
    for flow in flows:
        folder = Path(tempfile.mkdtemp(prefix="maskflow-injection-"))
        bench = Bench(flow, folder)
        print(f"{flow}: undisturbed {bench.seconds:.0f} s, {bench.begun} items, {len(bench.sound)} files", flush=True)
        try:
            for kind in kinds:
                for row in _KINDS[kind](bench):
                    rows.append(row)
                    print(row.flow, row.what, f"{row.seconds:.0f} s", row.code, row.wrong or "as wanted", flush=True)
        finally:
            bench.server.close()
            shutil.rmtree(folder, ignore_errors=True)
    table = Table("flow", "what was done", "s", "exit", "result")
    for row in rows:
        result = Text(row.wrong, "red") if row.wrong else Text("as wanted", "green")
        table.add_row(row.flow, row.what, f"{row.seconds:.0f}", str(row.code), result)
    open_console().print(table)
    wrong = sum(bool(row.wrong) for row in rows)
    hangs = sum(row.code is None for row in rows)
    print(f"{len(rows)} runs, {wrong} not as wanted, {hangs} hang")
    return wrong


if __name__ == "__main__":
    sys.exit(min(1, main(sys.argv[1:])))
