"""From `prefect flow-run cancel` to no worker and a free slot: `python -m benchmarks.cancelling`."""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.common import environment, small_clip, track, write_list


def main() -> None:
    """Print the seconds from the command's return to the end of the last worker, and to the end of the run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.update(environment(folder))
        from tasks.server.temporary import ensure_server

        ensure_server()
        videos = write_list(folder / "videos.txt", [small_clip(folder / "long.mp4", 2000, 0, 480, 270)])
        run = track(folder, videos, folder / "out" / "results.jsonl", 1)
        assert run.stderr is not None
        flow_run = ""
        for line in run.stderr:
            found = re.search(r"Flow run ([0-9a-f-]{36})", line)
            flow_run = found[1] if found else flow_run
            if "Processing" in line:
                break
        time.sleep(3)
        workers = [p for p in psutil.Process(run.pid).children(recursive=True) if "spawn_main" in " ".join(p.cmdline())]
        subprocess.run(
            [sys.executable, "-m", "prefect", "flow-run", "cancel", flow_run], capture_output=True, check=True
        )
        cancelled_s = time.monotonic()
        psutil.wait_procs(workers, timeout=60)
        gone_s = time.monotonic() - cancelled_s
        run.communicate()
        ended_s = time.monotonic() - cancelled_s
        print(f"cancelled: {len(workers)} workers gone after {gone_s:.2f} s, run ended after {ended_s:.2f} s")


if __name__ == "__main__":
    main()
