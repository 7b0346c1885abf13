"""What the benchmarks share: the data folder, small clips, and running the command line in a place of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path

from core.evaluation.clips import Actor, Scene, render_clip

DATA = Path(__file__).parents[2] / "shared" / "data"


def need_data() -> Path:
    """The folder of real data; ends the benchmark with a clear line where it is not there."""
    if not DATA.is_dir():
        sys.exit(f"this benchmark needs the data folder {DATA}")
    return DATA


def small_clip(path: Path, frames: int, seed: int, width: int = 160, height: int = 96) -> Path:
    """A clip with one red object that crosses it; another seed gives another content."""
    actor = Actor("red", (30 + seed % 40, height / 2), (60 / max(frames, 1), 0.0), (16, 14), spin_deg=1.0)
    render_clip(Scene("small", (actor,), frames=frames, width=width, height=height), path, seed)
    return path


def write_list(path: Path, videos: list[Path]) -> Path:
    """A video list."""
    path.write_text("".join(f"{video}\n" for video in videos))
    return path


def environment(folder: Path) -> dict[str, str]:
    """An environment whose Prefect home and slot locks are the benchmark's own."""
    (folder / "tmp").mkdir(exist_ok=True)
    own = {"PREFECT_HOME": folder / "prefect", "TMPDIR": folder / "tmp", "MASKFLOW_SLOT_LOCKS": folder / "locks"}
    return {**os.environ, **{name: str(path) for name, path in own.items()}, "COLUMNS": "160"}


def track(folder: Path, video_list: Path, output: Path, workers: int, *more: str) -> "subprocess.Popen[str]":
    """Start `maskflow track-videos` on a list, for red objects."""
    return subprocess.Popen(
        [
            sys.executable, "-m", "flows.cli", "track-videos", "--video-list", str(video_list), "--text-prompt", "red",
            "--output-jsonl", str(output), "--num-workers", str(workers), *more,
        ],
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def timed(process: "subprocess.Popen[str]") -> tuple[float, str]:
    """Wait for a started run: its seconds, and what it logged. Ends the benchmark where the run failed."""
    started = time.monotonic()
    _, log = process.communicate()
    if process.returncode != 0:
        sys.exit(log)
    return time.monotonic() - started, log
