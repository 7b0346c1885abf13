"""What it costs to run anything at all: `python -m benchmarks.overhead [CHECKOUT …]`, of this and other checkouts.

CPU seconds (user and system) of the whole process tree, the temporary Prefect server included, until all of it has
ended: help, one tiny clip, and 500 tiny clips, first and again. `--items 100 1000 10000` instead: runs of so many, with
the memory of the flow, the size of the state folder and of the server's database.
"""

import argparse
import ctypes
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.common import environment, small_clip, write_list

_PR_SET_CHILD_SUBREAPER = 36
_SAMPLE_EVERY_S = 0.25


@dataclass
class Cost:
    """What a command took, with all it started.

    Attributes:
        cpu_s: user and system, of the whole tree.
        wall_s: until the command itself ended.
        flow_mib: peak memory of the command's own process.
    """

    cpu_s: float
    wall_s: float
    flow_mib: float


def _become_subreaper() -> None:
    """Servers that outlive the command that started them become ours, and so their CPU time is known."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@contextmanager
def _sampled(pid: int, peak: list[float]) -> Iterator[None]:
    ended = threading.Event()

    def sample() -> None:
        process = psutil.Process(pid)
        while not ended.wait(_SAMPLE_EVERY_S):
            try:
                peak[0] = max(peak[0], process.memory_info().rss / 2**20)
            except psutil.Error:
                return

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def measured(checkout: Path, folder: Path, *words: str, leave_server: bool = False) -> Cost:
    """Run a command of a checkout; ends the benchmark where it fails.

    Args:
        checkout: whose code is run.
        folder: of this benchmark's own Prefect home.
        words: of the command line.
        leave_server: do not wait for what the command leaves running, and leave it out.
    """
    own = {**environment(folder), "PYTHONPATH": str(checkout)}
    if not leave_server:
        own["MASKFLOW_KEEP_SERVER_S"] = "0"
    before = os.times()
    started_s = time.monotonic()
    with tempfile.TemporaryFile() as log:
        command = subprocess.Popen(
            [sys.executable, "-m", "flows.cli", *words], env=own, cwd=checkout, stdout=log, stderr=log
        )
        peak = [0.0]
        with _sampled(command.pid, peak):
            code = command.wait()
        wall_s = time.monotonic() - started_s
        if code != 0:
            log.seek(0)
            sys.exit(log.read().decode())
    if not leave_server:
        _reap()
    after = os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(cpu_s, wall_s, peak[0])


def _reap() -> None:
    """Wait for what the command left running."""
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _track(videos: Path, output: Path, *more: str) -> list[str]:
    return [
        "track-videos", "--video-list", str(videos), "--text-prompt", "red", "--output-jsonl",
        str(output / "results.jsonl"), *more,
    ]  # fmt: skip


def _clips(folder: Path, count: int) -> Path:
    made = [small_clip(folder / "clips" / f"{index}.mp4", 2, index, 64, 48) for index in range(count)]
    return write_list(folder / f"{count}.txt", made)


def _usual(checkouts: list[Path], folder: Path) -> None:
    one, many = _clips(folder, 1), _clips(folder, 500)
    for number, checkout in enumerate(checkouts):
        own = folder / str(number)
        own.mkdir()
        ends = () if "keep-server" not in _help(checkout) else ("--no-keep-server",)
        rows = [
            ("help of a flow", ["track-videos", "--help"]),
            ("one tiny clip, new Prefect home", _track(one, own / "new", *ends)),
            ("one tiny clip", _track(one, own / "known", *ends)),
            ("the same again", _track(one, own / "known", *ends)),
            ("500 tiny clips", _track(many, own / "many", *ends)),
            ("the same again", _track(many, own / "many", *ends)),
        ]
        for name, words in rows:
            _show(checkout, name, measured(checkout, own, *words))
        if ends:
            measured(checkout, own, *_track(one, own / "before"), leave_server=True)
            _show(
                checkout,
                "one tiny clip, server there",
                measured(checkout, own, *_track(one, own / "warm"), leave_server=True),
            )


def _help(checkout: Path) -> str:
    words = [sys.executable, "-m", "flows.cli", "track-videos", "--help"]
    return subprocess.run(words, cwd=checkout, capture_output=True, text=True, check=True).stdout


def _sizes(checkouts: list[Path], folder: Path, sizes: list[int]) -> None:
    for count in sizes:
        videos = _clips(folder, count)
        for number, checkout in enumerate(checkouts):
            own = folder / f"{number}-{count}"
            own.mkdir()
            output = own / "out"
            for name in (f"{count} tiny clips", "the same again"):
                cost = measured(checkout, own, *_track(videos, output))
                state, database = _bytes(output / ".maskflow"), _bytes(own / "prefect")
                more = f", state {state / 2**20:7.1f} MiB, Prefect home {database / 2**20:7.1f} MiB"
                _show(checkout, name, cost, f"{more}, {1000 * cost.cpu_s / count:7.1f} ms CPU an item")


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _show(checkout: Path, name: str, cost: Cost, more: str = "") -> None:
    print(
        f"{checkout.name:12} {name:34} CPU {cost.cpu_s:7.2f} s, wall {cost.wall_s:7.2f} s, "
        f"flow {cost.flow_mib:6.0f} MiB{more}",
        flush=True,
    )


def main() -> None:
    """Print the costs of each checkout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkouts", nargs="*", type=Path, default=[])
    parser.add_argument("--items", nargs="*", type=int)
    given = parser.parse_args()
    _become_subreaper()
    checkouts = [*(path.resolve() for path in given.checkouts), Path(__file__).parents[1]]
    with tempfile.TemporaryDirectory() as name:
        if given.items:
            _sizes(checkouts, Path(name), given.items)
        else:
            _usual(checkouts, Path(name))


if __name__ == "__main__":
    main()
