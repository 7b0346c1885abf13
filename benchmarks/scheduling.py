"""How well slots are used: `python -m benchmarks.scheduling`.

- One long and eight short videos on two slots, beside what longest-first gives for the same times by arithmetic.
- Two flows at once that may use one slot each, and the same one: whether two items ever ran in it together.
"""

import json
import tempfile
import threading
import time
from pathlib import Path

import psutil

from benchmarks.common import small_clip, timed, track, write_list


def _seconds(output: Path) -> list[float]:
    manifests = (output / ".maskflow" / "track_video").glob("*/manifest.json")
    return [json.loads(manifest.read_text())["record"]["seconds"] for manifest in manifests]


def _longest_first(seconds: list[float], slots: int) -> float:
    loads = [0.0] * slots
    for one in sorted(seconds, reverse=True):
        loads[loads.index(min(loads))] += one
    return max(loads)


def _busy_workers(pids: list[int], stop: threading.Event, most: list[int]) -> None:
    """Sample how many of the runs' workers burn CPU at once."""
    last: dict[int, float] = {}
    while not stop.wait(0.2):
        busy = 0
        for pid in pids:
            try:
                for child in psutil.Process(pid).children(recursive=True):
                    if "spawn_main" in " ".join(child.cmdline()):
                        used = child.cpu_times().user
                        busy += used - last.get(child.pid, used) > 0.1
                        last[child.pid] = used
            except psutil.Error:
                continue
        most.append(busy)


def main() -> None:
    """Print both measurements."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        long = small_clip(folder / "long.mp4", 900, 0, 480, 270)
        short = [small_clip(folder / f"short{i}.mp4", 112, i + 1, 480, 270) for i in range(8)]
        videos = write_list(folder / "videos.txt", [*short, long])
        started = time.monotonic()
        run = track(folder, videos, folder / "out" / "results.jsonl", 2)
        first = last = 0.0
        assert run.stderr is not None
        for line in run.stderr:
            if "Processing" in line and not first:
                first = time.monotonic() - started
            if "Completed" in line:
                last = time.monotonic() - started
        run.wait()
        seconds = _seconds(folder / "out")
        ideal = _longest_first(seconds, 2)
        print(f"1 long, 8 short on 2 slots: makespan {last - first:.1f} s, longest-first {ideal:.1f} s, "
              f"ratio {(last - first) / ideal:.2f}")  # fmt: skip

        runs = [track(folder, videos, folder / who / "results.jsonl", 1) for who in ("a", "b")]
        stop, most = threading.Event(), [0]
        watcher = threading.Thread(target=_busy_workers, args=([r.pid for r in runs], stop, most))
        watcher.start()
        times = []
        threads = [threading.Thread(target=lambda r=r: times.append(timed(r)[0])) for r in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stop.set()
        watcher.join()
        print(
            f"two flows, one slot between them: both delivered; {len(most)} samples, at most {max(most)} busy at once"
        )


if __name__ == "__main__":
    main()
