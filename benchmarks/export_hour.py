"""Export of an hour: 108,000 frames, 5 objects with masks. `python -m benchmarks.export_hour [MINUTES …] [FORMAT …]`.

Results of 10 minutes and of an hour (640x360), or of other lengths, are written, then exported in processes of their
own: seconds, peak memory, and the size of what came out. Memory is flat where the two peaks are about the same.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import psutil

from core.formats.exchange import results_lines
from core.formats.exchange.model import SeenFrame, SeenObject, VideoResults
from core.formats.exchange.registry import FORMATS
from core.masks import rle

_FPS, _WIDTH, _HEIGHT, _OBJECTS = 30, 640, 360, 5
_MINUTES = (10, 60)
_MIB = 2**20


def _shapes() -> list[rle.RLE]:
    """Some masks, some 60 pixels wide, that objects take turns with."""
    rng = np.random.default_rng(0)
    rows, columns = np.ogrid[:_HEIGHT, :_WIDTH]
    shapes = []
    for _ in range(300):
        x, y = rng.integers(40, _WIDTH - 40), rng.integers(40, _HEIGHT - 40)
        ragged = 28 + 3 * np.sin(np.arctan2(rows - y, columns - x) * rng.integers(3, 9))
        shapes.append(rle.encode(np.asarray(np.hypot(columns - x, rows - y) < ragged, np.bool_)))
    return shapes


def _frames(count: int) -> Iterator[SeenFrame]:
    shapes = _shapes()
    boxes = [rle.box_xyxy(mask) for mask in shapes]
    for frame in range(count):
        objects = []
        for obj_id in range(1, _OBJECTS + 1):
            place = (frame + 61 * obj_id) % len(shapes)
            objects.append(SeenObject(obj_id, f"thing {obj_id % 2}", boxes[place], 0.9, shapes[place], 0.8))
        yield SeenFrame(frame, frame / _FPS, tuple(objects))


def _export(results: Path, to: str, output: Path) -> tuple[float, float]:
    """Seconds and peak MiB of `maskflow export`."""
    started = time.monotonic()
    arguments = ["export", str(results), "--to", to, "--output", str(output)]
    process = subprocess.Popen([sys.executable, "-m", "flows.cli", *arguments], stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        try:
            peak = max(peak, psutil.Process(process.pid).memory_info().rss)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.1)
    if process.wait() != 0:
        sys.exit(f"export to {to} failed")
    return time.monotonic() - started, peak / _MIB


def main() -> None:
    """Print a row for each format."""
    lengths = [int(word) for word in sys.argv[1:] if word.isdigit()] or list(_MINUTES)
    formats = [word for word in sys.argv[1:] if not word.isdigit()]
    heads = " | ".join(f"{minutes} min: s | MiB at most" for minutes in lengths)
    print(f"| format | {heads} | memory, last by first | MiB written |\n|---|{'---|' * (2 * len(lengths) + 2)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for minutes in lengths:
            count = minutes * 60 * _FPS
            read = partial(_frames, count)
            video = VideoResults("long", _WIDTH, _HEIGHT, _FPS, read, count, "long.mp4", process_fps=_FPS)
            results_lines.write(folder / f"{minutes}.jsonl", [video])
        size = (folder / f"{lengths[-1]}.jsonl").stat().st_size / _MIB
        for to in formats or [name for name in FORMATS if name not in ("results", "dense")]:
            figures = []
            for minutes in lengths:
                output = folder / f"{to}{minutes}"
                figures.append(_export(folder / f"{minutes}.jsonl", to, output))
            written = sum(path.stat().st_size for path in output.rglob("*") if path.is_file()) / _MIB
            row = " | ".join(f"{seconds:.0f} | {mib:.0f}" for seconds, mib in figures)
            print(f"| {to} | {row} | {figures[-1][1] / figures[0][1]:.2f} | {written:.0f} |", flush=True)
        print(f"\nThe results themselves: {size:.0f} MiB.")


if __name__ == "__main__":
    main()
