"""`track_videos` on a GPU beside a plain loop over the same model."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.common import environment, small_clip
from benchmarks.gpu_check.report import Row, Setting, judged
from benchmarks.sam2_common import random_model
from core.models.device import default_device
from core.models.sam2.build import build
from core.models.sam2.checkpoint import load_weights
from core.models.sam2.segmenter import Sam2Segmenter
from core.prompts import Prompt
from core.video.source import open_video
from core.weights.sam2_names import SamType

_BOXES = [(14, 34, 46, 62), (60, 10, 90, 50)]
_TYPE: SamType = "sam2.1_hiera_tiny"


def end_to_end(setting: Setting) -> Iterator[Row]:
    """Whole runs, starting included: two videos with two objects each, the command line and a loop in one process."""
    folder = setting.folder / "run"
    folder.mkdir()
    clips = [small_clip(folder / f"clip{n}.mp4", 400 if setting.on_gpu else 6, n) for n in range(2)]
    weights = folder / "tiny.pt"
    torch.save({"model": random_model(_TYPE, torch.device("cpu"), 1024).state_dict()}, weights)
    prompts = {str(clip): [{"obj_id": n, "frame": 0, "box": box} for n, box in enumerate(_BOXES, 1)] for clip in clips}
    (folder / "prompts.json").write_text(json.dumps(prompts))
    loop_s = _plain_loop(clips, weights, setting.side)
    os.environ.update(environment(folder))
    from maskflow import track_videos  # now that the environment is its own

    started_s = time.monotonic()
    summary = track_videos(
        [str(clip) for clip in clips],
        output_jsonl=folder / "results.jsonl",
        prompts=folder / "prompts.json",
        masks=True,
        segmenter="sam2",
        model_path=str(weights),
        sam_type=_TYPE,
        sam_image_size=setting.side,
    )
    run_s = time.monotonic() - started_s
    yield Row("a plain loop", f"{loop_s:.1f} s")
    yield Row("track_videos, with reports and review", f"{run_s:.1f} s, {summary.failed} failed")
    if setting.on_gpu:
        yield judged("speed of the plain loop", loop_s / run_s, 0.7, "x")


def _plain_loop(clips: list[Path], weights: Path, side: int) -> float:
    started_s = time.monotonic()
    model = build(_TYPE, default_device(), side)
    load_weights(model, weights, _TYPE)
    for clip in clips:
        session = Sam2Segmenter(model, "loop").start()
        with open_video(clip) as video:
            for index, frame in enumerate(video.frames()):
                session.advance(frame.image)
                if index == 0:
                    for obj_id, box in enumerate(_BOXES, 1):
                        session.add(obj_id, Prompt(box=box))
    return time.monotonic() - started_s
