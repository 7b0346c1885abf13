"""Memory and time of `evaluate` against the number of frames.

    python -m benchmarks.evaluating [FRAMES ...]

Five objects of 40x30 pixels walk over 320x240; the results are off by a few pixels. Each number of frames in a process
of its own: peak memory above that of a video of ten frames, and frames a second.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from core.evaluation.evaluate import How, evaluate
from core.formats.exchange import results_lines
from core.formats.exchange.model import SeenFrame, SeenObject, VideoResults
from core.formats.exchange.registry import read_results
from core.masks import rle

_OBJECTS, _WIDTH, _HEIGHT = 5, 320, 240
_FRAMES = (10, 1000, 4000, 8000)


def _frames(count: int, off: int) -> Iterator[SeenFrame]:
    for number in range(count):
        objects = []
        for obj_id in range(1, _OBJECTS + 1):
            x, y = (7 * obj_id + number + off) % (_WIDTH - 40), (43 * obj_id + off) % (_HEIGHT - 30)
            mask = np.zeros((_HEIGHT, _WIDTH), np.bool_)
            mask[y : y + 30, x : x + 40] = True
            packed = rle.encode(mask)
            objects.append(SeenObject(obj_id, "ball", rle.box_xyxy(packed), 0.9, packed))
        yield SeenFrame(number, number / 25, tuple(objects))


def _measure(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, off in (("truth", 0), ("found", 3)):
            read = partial(_frames, count, off)
            video = VideoResults(name, _WIDTH, _HEIGHT, 25.0, read, count, "v.mp4", None, 25.0)
            results_lines.write(Path(folder) / f"{name}.jsonl", [video])
        started_s = time.monotonic()
        truth, found = (read_results(Path(folder) / f"{name}.jsonl") for name in ("truth", "found"))
        evaluate(truth, found, How(), lambda *_: None)
        seconds = time.monotonic() - started_s
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, seconds)


def main(words: list[str]) -> None:
    """Measure each number of frames."""
    least = None
    print("| frames | MB more than for 10 | MB a thousand frames | frames/s |\n|---|---|---|---|")
    for count in map(int, words or _FRAMES):
        command = [sys.executable, "-m", "benchmarks.evaluating", "--measure", str(count)]
        peak, seconds = map(float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
        least = peak if least is None else least
        print(
            f"| {count:,} | {peak - least:.0f} | {1000 * (peak - least) / count:.1f} | {count / seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        _measure(int(sys.argv[2]))
    else:
        main(sys.argv[1:])
