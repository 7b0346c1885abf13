"""How quickly the page of `maskflow label` answers: `python -m benchmarks.label_page [--minutes 90]`.

On a 1080p video of 90 minutes: a frame after a jump to anywhere, frames one after another, and the mask of a box. Each
frame is also decoded without the page, in this process, in turns with it.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import httpx
import numpy as np

from benchmarks.common import environment
from benchmarks.long_scene import make_scene, write_video
from core.video.reader import FrameReader

_PIECE_S = 300
_JUMPS, _STEPS, _PREVIEWS = 60, 150, 20


def long_copy(piece: Path, path: Path, times: int) -> None:
    """A video several times in a row, nothing encoded anew."""
    with av.open(str(path), "w") as out:
        stream, offset = None, 0
        for _ in range(times):
            with av.open(str(piece)) as source:
                video = source.streams.video[0]
                stream = out.add_stream_from_template(video) if stream is None else stream
                end = 0
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.pts, packet.dts, packet.stream = packet.pts + offset, packet.dts + offset, stream
                    packet.time_base = video.time_base or Fraction(1, 90_000)
                    out.mux(packet)
                offset += end


def _ms(action: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - started_s)


def measure(video: Path, folder: Path, gop: int) -> None:
    """Print a line of figures."""
    command = [sys.executable, "-m", "flows.cli", "label", str(video), "--port", "0"]
    with subprocess.Popen(
        [*command, "--results", str(folder / "none" / "results.jsonl")], stdout=subprocess.PIPE, text=True,
        env=environment(folder),
    ) as server:  # fmt: skip
        assert server.stdout is not None
        url = re.findall(r"http\S+", server.stdout.readline())[0]
        with httpx.Client(base_url=url.split("?")[0], timeout=120, follow_redirects=True) as page:
            page.get(url)
            opened_s = _ms(lambda: page.get("/api/videos/0")) / 1000
            reader = FrameReader(video)
            rng = np.random.default_rng(0)
            shown, decoded = [], []
            for number in rng.integers(0, len(reader), _JUMPS).tolist():
                decoded.append(_ms(partial(reader.frame, number)))
                shown.append(_ms(partial(page.get, f"/api/videos/0/frames/{number}.jpg")))
            first = len(reader) // 2
            page.get(f"/api/videos/0/frames/{first}.jpg")
            took_s = (
                _ms(lambda: [page.get(f"/api/videos/0/frames/{first + n}.jpg") for n in range(1, _STEPS + 1)]) / 1000
            )
            masks = []
            for number in range(_PREVIEWS):
                x, y = rng.uniform(100, 1500), rng.uniform(100, 800)
                box = {"obj_id": 1, "frame": first + number, "box": [x, y, x + 200, y + 160]}
                page.get(f"/api/videos/0/frames/{first + number}.jpg")
                masks.append(_ms(partial(page.post, "/api/videos/0/preview", json=box)))
            reader.close()
        server.terminate()
    median, alone = statistics.median(shown), statistics.median(decoded)
    print(
        f"| {gop} | {opened_s:.1f} s | {median:.0f} ms | {np.percentile(shown, 90):.0f} ms | {median / alone:.2f} | "
        f"{_STEPS / took_s:.0f} | {statistics.median(masks):.0f} ms |",
        flush=True,
    )


def main() -> None:
    """Make the videos and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=90)
    parser.add_argument("--gops", type=int, nargs="+", default=[30, 250])
    given = parser.parse_args()
    print(
        "| key frame every | opened in | a jump, median | 90 % | ÷ decoding alone | frames a second, forward | "
        "mask of a box, median |\n|---|---|---|---|---|---|---|"
    )
    for gop in given.gops:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            write_video(make_scene(_PIECE_S), folder / "piece.mp4", gop)
            long_copy(folder / "piece.mp4", folder / "long.mp4", given.minutes * 60 // _PIECE_S)
            measure(folder / "long.mp4", folder, gop)


if __name__ == "__main__":
    main()
