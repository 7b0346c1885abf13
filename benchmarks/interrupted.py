"""A long video whose tracking is killed again and again: `python -m benchmarks.interrupted [--minutes 10]`.

Real runs: killed with SIGKILL at five moments, then run to the end; the same bytes as one that was left alone, which
also gives the share of frames that were tracked more than once, and what checkpoints cost beside tracking without any.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.common import environment
from benchmarks.long_scene import prompted_scene, prompts_of
from core.tracking.checkpoint import Checkpoints
from core.tracking.video_item import track_video

_KILLED_AT = (0.1, 0.25, 0.4, 0.55, 0.7)
_LENGTHS = 5


def _start(folder: Path, video: Path, output: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [
            sys.executable, "-m", "flows.cli", "track-videos", str(video), "--prompts", str(folder / "prompts.json"),
            "--output-jsonl", str(folder / output / "results.jsonl"), "--masks", "--num-workers", "1",
        ],
        env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def _tracked(folder: Path) -> int:
    """Frames in the newest checkpoint."""
    found = [int(path.name) for path in folder.glob(".maskflow/track_video/*.begun/*") if path.name.isdigit()]
    return max(found, default=0)


def killed_runs(folder: Path, video: Path, frames: int) -> None:
    """Kill a run at five moments, and compare its results with those of one that is left alone."""
    started_s = time.monotonic()
    assert _start(folder, video, "whole").wait() == 0
    whole_s = time.monotonic() - started_s
    begun_at = []
    for share in _KILLED_AT:
        run = _start(folder, video, "killed")
        begun_at.append(_tracked(folder / "killed"))
        while _tracked(folder / "killed") < share * frames and run.poll() is None:
            time.sleep(0.5)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        print(f"killed with a checkpoint after frame {_tracked(folder / 'killed'):,} of {frames:,}", flush=True)
    assert _start(folder, video, "killed").wait() == 0
    results = [(folder / name / "results.jsonl").read_bytes() for name in ("whole", "killed")]
    print(f"same bytes: {results[0] == results[1]}; uninterrupted {whole_s:.0f} s")
    print(f"each run began at frame {begun_at}")


def overhead(folder: Path, video: Path, prompts: list[dict[str, Any]]) -> None:
    """The share of a tracking's CPU seconds that goes into checkpoints, each as it is saved."""
    request = {
        "video": str(video), "prompts": prompts, "segmenter": {"backend": "classical"}, "detection_frequency": 1,
        "max_frames": 60,
    }  # fmt: skip
    saving_s = 0.0
    saved = Checkpoints.save_if_due

    def timed(self: Checkpoints, *arguments: Any) -> None:
        nonlocal saving_s
        began_s = time.process_time()
        saved(self, *arguments)
        saving_s += time.process_time() - began_s

    with patch.object(Checkpoints, "save_if_due", timed):
        began_s = time.process_time()
        (folder / "item").mkdir()
        track_video(request, folder / "item", lambda *_: None, folder / "begun")
        whole_s = time.process_time() - began_s
    print(f"of {whole_s:.1f} CPU seconds {saving_s:.2f} go into checkpoints: {saving_s / whole_s:.2%}")


def main() -> None:
    """Run all and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        scene = prompted_scene(folder, "long", given.minutes)
        killed_runs(folder, folder / "long.mp4", scene.frames)
        peaks = [
            json.loads(path.read_text())["record"]["ran"]["host_peak_mib"]
            for path in folder.glob("whole/.maskflow/track_video/*/manifest.json")
        ]
        short = prompted_scene(folder, "short", given.minutes / _LENGTHS)
        assert _start(folder, folder / "short.mp4", "short").wait() == 0
        peaks += [
            json.loads(path.read_text())["record"]["ran"]["host_peak_mib"]
            for path in folder.glob("short/.maskflow/track_video/*/manifest.json")
        ]
        print(f"peak memory of the worker, MiB: {peaks[0]:.0f}; of a fifth of the length: {peaks[1]:.0f}")
        overhead(folder, folder / "short.mp4", prompts_of(short))


if __name__ == "__main__":
    main()
