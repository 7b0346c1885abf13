"""What was planned beside what it took: `python -m benchmarks.planning`.

Each flow once on one slot and on two, so that this machine knows something of it, then a plan for another output folder
and the run itself. `--defaults` writes what the first runs took to `tasks/estimates/measured.json`, which is used
where a machine knows nothing yet.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.common import environment, small_clip
from benchmarks.injection_flows import FLOWS, Case, make_case
from tasks.estimates.history import Timings

_SAMPLES = 12
_TRACK = ["track-videos", "--text-prompt", "red object", "--num-workers"]


def _command(folder: Path, words: list[str]) -> tuple[str, float]:
    """What a command printed, and the peak memory of all its processes in MiB."""
    own = {**environment(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    peak = [0.0]
    with subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *words], env=own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        ended = threading.Event()

        def sample() -> None:
            while not ended.wait(0.1):
                total = 0
                with suppress(psutil.Error):
                    whole = psutil.Process(run.pid)
                    for process in (whole, *whole.children(recursive=True)):
                        with suppress(psutil.Error):
                            total += process.memory_info().rss
                peak[0] = max(peak[0], total / 2**20)

        thread = threading.Thread(target=sample, daemon=True)
        thread.start()
        printed, log = run.communicate()
        ended.set()
        thread.join()
    if run.returncode:
        sys.exit(printed + log)
    return printed, peak[0]


def _seconds(text: str) -> float:
    return sum(float(one) * float(60**place) for place, one in enumerate(reversed(text.split(":"))))


def _megabytes(text: str) -> float:
    number, unit = text.split()
    return float(number) * {"bytes": 1e-6, "kB": 1e-3, "MB": 1.0, "GB": 1e3}[unit]


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, text
    return match[1]


def _size(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _words(case: Case, out: Path, slots: int) -> list[str]:
    """A case's command for so many slots."""
    words = list(case.arguments)
    if "--num-workers" in words:
        place = words.index("--num-workers")
        del words[place : place + 2]
    return [*words, *case.output(out), "--num-workers", str(slots)]


def _other_clips(folder: Path, seed: int, count: int) -> None:
    for number in range(count):
        small_clip(folder / f"{number}.mp4", 60 + 40 * (number % 4), seed + number, 480, 270)


def main() -> None:
    """Print the table; with `--defaults`, write what machines begin with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--defaults", action="store_true")
    given = parser.parse_args()
    print(
        "| flow, slots | planned s | measured s | ratio | planned MiB | measured MiB | planned MB on disk | measured |"
    )
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.update(environment(folder))
        _other_clips(folder / "first", 100, 4)
        _other_clips(folder / "second", 200, 8)
        cases = {flow: make_case(flow, folder / flow) for flow in FLOWS}

        def words(flow: str, name: str, slots: int) -> list[str]:
            if flow in cases:
                return _words(cases[flow], folder / f"{flow}-{name}-{slots}", slots)
            clips, results = folder / name, folder / f"{flow}-{name}-{slots}" / "r.jsonl"
            return [*_TRACK, str(slots), str(clips), "--output-jsonl", str(results)]

        flows = (*FLOWS, "track-videos, other clips")
        for flow in flows:
            for slots in (1, 2):
                _command(folder, words(flow, "first", slots))
        if given.defaults:
            _write_defaults(folder)
        for flow in flows:
            for slots in (1, 2):
                _row(folder, f"{flow}, {slots}", words(flow, "second", slots), folder / f"{flow}-second-{slots}")


def _row(folder: Path, name: str, words: list[str], out: Path) -> None:
    plan, _ = _command(folder, [*words, "--plan"])
    printed, peak_mib = _command(folder, words)
    planned_s = _seconds(_found(r"about ([\d:.]+) on \d+ slots", plan))
    took_s = _seconds(_found(r"Time: ([\d:.]+) for all items", printed))
    mib = float(_found(r"Memory: about (\d+) MiB", plan))
    megabytes = _megabytes(_found(r"Disk: at most ([\d.,]+ \w+) below", plan).replace(",", ""))
    print(
        f"| {name} | {planned_s:.1f} | {took_s:.1f} | {planned_s / took_s:.2f} | {mib:.0f} | {peak_mib:.0f} "
        f"| {megabytes:.2f} | {_size(out):.2f} |",
        flush=True,
    )


def _write_defaults(folder: Path) -> None:
    seen = Timings.model_validate_json((folder / "cache" / "maskflow" / "timings.json").read_bytes())
    few = Timings(
        samples={stage: samples[-_SAMPLES:] for stage, samples in sorted(seen.samples.items())},
        runs={flow: runs[-2:] for flow, runs in sorted(seen.runs.items())},
    )
    target = Path(__file__).parents[1] / "tasks" / "estimates" / "measured.json"
    target.write_text(few.model_dump_json() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
