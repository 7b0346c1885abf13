"""`--sam-precision fast` beside exact on this CPU: `python -m benchmarks.sam2_precision`.

Time: CPU seconds of sam2.1 tiny with random weights, frames of both taken in turn. Agreement: the tiny trained model
on real video (the DAVIS sequences of the data folder), from the true box of the first frame.
"""

import argparse
import time

import numpy as np
import torch

from benchmarks.common import need_data
from benchmarks.davis import true_masks
from benchmarks.sam2_common import box, frames, random_model
from core.evaluation.davis import region_similarity
from core.masks.boxes import mask_box
from core.models.device import default_device
from core.models.sam2.own_weights import load_own_weights
from core.models.sam2.predictor import StreamingPredictor, Window
from core.prompts import Prompt
from core.video.source import open_video
from core.weights.catalogue import TINY_SAM2


def main() -> None:
    """Print CPU seconds a frame, their ratio, and the IoU of fast and exact masks on each sequence."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--image-size", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--frames", type=int, default=3)
    given = parser.parse_args()
    print(f"{torch.cpu.get_capabilities()['cpu_name']}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for size in given.image_size:
        for count in given.objects:
            exact, fast = _seconds(size, count, given.frames)
            print(
                f"{size} px, {count} objects: {exact:.2f} CPU s a frame, fast {fast:.2f} s: {exact / fast:.2f} x",
                flush=True,
            )
    _agreement()


def _seconds(size: int, count: int, timed: int) -> tuple[float, float]:
    """CPU seconds a frame, exact and fast, once memories are full enough to be read; the median of `timed` frames."""
    images = list(frames(3 + timed, size))
    predictors = [
        StreamingPredictor(random_model("sam2.1_hiera_tiny", default_device(), size), Window(size, size), fast=fast)
        for fast in (False, True)
    ]
    spent: tuple[list[float], list[float]] = ([], [])
    for index, image in enumerate(images):
        for predictor, seconds in zip(predictors, spent, strict=True):
            started_s = time.process_time()
            predictor.advance(image)
            if index == 0:
                for obj_id in range(count):
                    predictor.add(obj_id, box(obj_id, size))
            seconds.append(time.process_time() - started_s)
    exact, fast = (float(np.median(seconds[3:])) for seconds in spent)
    return exact, fast


def _agreement() -> None:
    """IoU of fast and exact masks, and of both with the truth, on each sequence."""
    model = load_own_weights(TINY_SAM2, default_device())
    root = need_data() / "davis2016"
    print("| sequence | IoU of fast and exact | exact and truth | fast and truth |\n|---|---|---|---|")
    rows = []
    for folder in sorted((root / "JPEGImages" / "480p").iterdir()):
        truth = true_masks(root / "Annotations" / "480p" / folder.name)
        predictors = [StreamingPredictor(model, Window(*truth[0].shape), fast=fast) for fast in (False, True)]
        compared = []
        with open_video(folder) as video:
            for frame, true in zip(video.frames(), truth, strict=True):
                found = []
                for predictor in predictors:
                    masks = predictor.advance(frame.image)
                    if frame.source_frame == 0:
                        masks = predictor.add(1, Prompt(box=mask_box(true)))
                    found.append((predictor.video_logits(masks.logits)[0, 0] > 0).numpy())
                exact, fast = found
                compared.append([region_similarity(*pair) for pair in ((fast, exact), (exact, true), (fast, true))])
        rows.append(np.mean(compared, axis=0))
        print(f"| {folder.name} | " + " | ".join(f"{value:.3f}" for value in rows[-1]) + " |", flush=True)
    print("| **mean** | " + " | ".join(f"{value:.3f}" for value in np.mean(rows, axis=0)) + " |")


if __name__ == "__main__":
    main()
