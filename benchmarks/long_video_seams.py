"""That windows leave no trace with SAM 2 (random weights, 128 pixels): `python -m benchmarks.long_video_seams`.

One minute of video, mode carry, windows of 10, 20 and 60 s: digests of the annotations. Then windows of 10 s again, the
whole run killed (SIGKILL) each time a worker saves its second window, until a run comes through.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.common import environment
from benchmarks.long_scene import make_scene, write_annotations, write_video
from benchmarks.sam2_common import random_model

_KILLING = Path(__file__).parents[1] / "tests" / "flows" / "killing"
_KILL_AT = "core.long_video.window_item:save_tracker:2"
_NAMES = ("dense_annotations_v.jsonl", "links_v.jsonl")


def _run(folder: Path, output: str, window_s: int, killed: bool = False) -> int:
    arguments: Sequence[object] = [
        "annotate-long-video", "--video-id", "v", "--video-path", folder / "v.mp4", "--assoc-info",
        folder / "assoc_info.json", "--mask-info", folder / "mask_info.json", "--output-dir", folder / output,
        "--window-duration", window_s, "--window-overlap", 2, "--segmenter", "sam2", "--sam-type", "sam2.1_hiera_tiny",
        "--sam-image-size", 128, "--model-path", folder / "tiny.pt", "--frame-interval", 10, "--masks",
    ]  # fmt: skip
    deadly = {"KILL_AT": _KILL_AT, "PYTHONPATH": f"{_KILLING}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *map(str, arguments)],
        env={**environment(folder), **(deadly if killed else {})},
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    if done.returncode not in ((0, -9) if killed else (0,)):
        sys.exit(done.stderr)
    return done.returncode


def _digests(folder: Path) -> str:
    return " ".join(hashlib.sha256((folder / name).read_bytes()).hexdigest()[:16] for name in _NAMES)


def main() -> None:
    """Print the digests."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        scene = make_scene(60, 4, 320, 180, 10, seed=1)
        write_video(scene, folder / "v.mp4", gop=50)
        write_annotations(scene, folder, "v")
        torch.save(
            {"model": random_model("sam2.1_hiera_tiny", torch.device("cpu"), 128).state_dict()}, folder / "tiny.pt"
        )
        for window_s in (10, 20, 60):
            _run(folder, f"out{window_s}", window_s)
            lines = len((folder / f"out{window_s}" / _NAMES[0]).read_text().splitlines())
            print(f"windows of {window_s} s: {lines} frames, {_digests(folder / f'out{window_s}')}", flush=True)
        kills = 0
        while _run(folder, "killed", 10, killed=True):
            kills += 1
        print(f"windows of 10 s, killed {kills} times: {_digests(folder / 'killed')}")


if __name__ == "__main__":
    main()
