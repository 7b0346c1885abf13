"""How long a slot waits for data behind a link of 20 MB/s: `python -m benchmarks.links`.

Videos of 30 MB each, tracked from a web server on this machine that sends no faster, on one slot: once as usual, once
with nothing fetched ahead. The share of the time between the first item's start and the last one's end in which the
slot was not at work.
"""

import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

from benchmarks.common import environment, small_clip

_BYTES_PER_S = 20e6
_PIECE = 2**16
_VIDEOS, _FRAMES, _SIZE = 8, 150, 30_000_000
_ONE_AFTER_ANOTHER = (
    "import tasks.inputs as inputs; enter = inputs._Ahead.enter; inputs._AHEAD = 1; "
    "inputs._Ahead.enter = lambda ahead, size, least, waiting: enter(ahead, size, 1, waiting); "
    "from flows.cli.main import main; main()"
)


class _Link:
    """All answers together are no faster than the link."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free_s = time.monotonic()

    def wait(self, count: int) -> None:
        """Until so many bytes have passed."""
        with self._lock:
            self._free_s = max(self._free_s, time.monotonic()) + count / _BYTES_PER_S
            until_s = self._free_s
        time.sleep(max(0.0, until_s - time.monotonic()))


_link = _Link()


class _Slow(SimpleHTTPRequestHandler):
    def copyfile(self, source: BinaryIO, outputfile: BinaryIO) -> None:  # type: ignore[override]
        while piece := source.read(_PIECE):
            _link.wait(len(piece))
            outputfile.write(piece)

    def log_message(self, *_: object) -> None:
        pass


def _padded(path: Path, size: int) -> None:
    """Make an MP4 file so large, by a box that readers pass over."""
    more = size - path.stat().st_size
    with path.open("ab") as stream:
        stream.write(struct.pack(">I4s", more, b"free"))
        stream.truncate(size)


def _share_waiting(folder: Path, urls: list[str], name: str, program: list[str]) -> tuple[float, float]:
    out = folder / name
    words = [*urls, "--text-prompt", "red", "--output-jsonl", str(out / "r.jsonl"), "--num-workers", "1"]
    own = {
        **environment(folder), "XDG_CACHE_HOME": str(folder / f"cache-{name}"),
        "MASKFLOW_TRUSTED_HOSTS": urls[0].split("/")[2], "MASKFLOW_KEEP_SERVER_S": "0",
    }  # fmt: skip
    first_s = last_s = 0.0
    with subprocess.Popen(
        [sys.executable, *program, "track-videos", *words], env=own, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    ) as run:  # fmt: skip
        assert run.stderr is not None
        for line in run.stderr:
            if "review" not in line and "report" not in line:
                first_s = first_s or (time.monotonic() if "Processing" in line else 0.0)
                last_s = time.monotonic() if "Completed" in line else last_s
    if run.returncode:
        sys.exit(f"{name} failed")
    manifests = (out / ".maskflow" / "track_video").glob("*/manifest.json")
    worked_s = sum(json.loads(one.read_text())["record"]["ran"]["seconds"] for one in manifests)
    return 1 - worked_s / (last_s - first_s), last_s - first_s


def main() -> None:
    """Print both shares."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chdir(folder)
        for number in range(_VIDEOS):
            _padded(small_clip(folder / "videos" / f"{number}.mp4", _FRAMES, number, 480, 270), _SIZE)
        with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Slow, directory=str(folder / "videos"))) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            urls = [f"http://127.0.0.1:{server.server_port}/{number}.mp4" for number in range(_VIDEOS)]
            checkout = str(Path(__file__).parents[1])
            os.environ["PYTHONPATH"] = checkout
            for what, program in (("ahead", ["-m", "flows.cli"]), ("one-after-another", ["-c", _ONE_AFTER_ANOTHER])):
                share, took_s = _share_waiting(folder, urls, what, program)
                print(f"{what}: the slot waits {100 * share:.0f} % of {took_s:.0f} s", flush=True)
            server.shutdown()


if __name__ == "__main__":
    main()
