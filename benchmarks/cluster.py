"""One run over a Dask cluster: `python -m benchmarks.cluster`.

The same 12 videos on a cluster of one worker process and on one of two, each with one thread, on this machine.
"""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.common import environment, small_clip, timed, track, write_list

VIDEOS, FRAMES = 12, 90


@contextmanager
def _cluster(folder: Path, workers: int) -> Iterator[str]:
    from distributed import Client

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    own = {**environment(folder), "DASK_DISTRIBUTED__WORKER__DAEMON": "False"}
    roles = [
        ("scheduler", "--host", "127.0.0.1", "--port", str(port)),
        ("worker", address, "--nworkers", str(workers), "--nthreads", "1"),
    ]
    command = (sys.executable, "-m", "dask")
    processes = [
        subprocess.Popen(
            [*command, *role, "--no-dashboard"], env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for role in roles
    ]
    try:
        with Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)
        yield address
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()


def main() -> None:
    """Print the times of both, and how many times faster two are."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.update(environment(folder))
        from tasks.server.temporary import ensure_server

        ensure_server()  # once, so that its start is not measured
        videos = write_list(
            folder / "videos.txt",
            [small_clip(folder / f"v{number}.mp4", FRAMES, number, 480, 270) for number in range(VIDEOS)],
        )
        taken_s, results = {}, {}
        for workers in (1, 2):
            output = folder / str(workers) / "results.jsonl"
            with _cluster(folder, workers) as address:
                taken_s[workers], _ = timed(track(folder, videos, output, 2, "--cluster", address))
            results[workers] = output.read_bytes()
        one_s, two_s = taken_s[1], taken_s[2]
        print(
            f"{VIDEOS} videos of {FRAMES} frames: 1 worker {one_s:.1f} s, 2 workers {two_s:.1f} s: {one_s / two_s:.2f}"
        )
        print(f"  same bytes: {results[1] == results[2]}")


if __name__ == "__main__":
    main()
