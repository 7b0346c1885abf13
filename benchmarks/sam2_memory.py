"""Memory of SAM 2 over the length of a video, ours beside the package's predictor: `python -m benchmarks.sam2_memory`.

Real modules with random weights on 128 pixels, 3 objects, one of them added at frame 20; N, 4 N and 16 N frames, each
in a process of its own.
"""

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from PIL import Image

from benchmarks.sam2_common import box, frames, package_predictor, random_model, tensor_bytes
from core.models.sam2.predictor import StreamingPredictor, Window
from core.weights.sam2_names import SamType

SIZE = 128
N = 60
TYPE: SamType = "sam2.1_hiera_tiny"
_LATE = 20


def _ours(count: int) -> int:
    predictor = StreamingPredictor(random_model(TYPE, torch.device("cpu"), SIZE), Window(SIZE, SIZE), batch=4)
    for index, image in enumerate(frames(count, SIZE)):
        predictor.advance(image)
        for obj_id, start in ((0, 0), (1, 0), (2, _LATE)):
            if index == start:
                predictor.add(obj_id, box(obj_id, SIZE))
    return predictor.stored_bytes()


def _package(count: int) -> int:
    predictor = package_predictor(TYPE, random_model(TYPE, torch.device("cpu"), SIZE))
    with tempfile.TemporaryDirectory() as folder:
        for index, image in enumerate(frames(count, SIZE)):
            Image.fromarray(image).save(Path(folder) / f"{index:05d}.jpg")
        state = predictor.init_state(folder)
        for first, last, obj_ids in ((0, _LATE, (0, 1)), (_LATE, count, (2,))):
            for obj_id in obj_ids:
                predictor.add_new_points_or_box(state, first, obj_id, box=box(obj_id, SIZE).box)
            for _ in predictor.propagate_in_video(state, first, last - first):
                pass
    return tensor_bytes(state)


def main() -> None:
    """Print stored tensors and peak RSS at each length, and how they grow."""
    if len(sys.argv) == 3:
        stored = {"ours": _ours, "package": _package}[sys.argv[1]](int(sys.argv[2]))
        print(json.dumps([stored, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))
        return
    for who in ("ours", "package"):
        peaks = []
        for count in (N, 4 * N, 16 * N):
            command = [sys.executable, "-m", "benchmarks.sam2_memory", who, str(count)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            stored, peak = json.loads(done.stdout.splitlines()[-1])
            peaks.append((stored, peak))
            print(f"{who}, {count} frames: tensors {stored / 2**20:.2f} MiB, peak {peak / 2**20:.0f} MiB", flush=True)
        (stored_4, peak_4), (stored_16, peak_16) = peaks[1:]
        growth = f"tensors {100 * (stored_16 / stored_4 - 1):+.1f} %, peak {100 * (peak_16 / peak_4 - 1):+.1f} %"
        print(f"{who}, from 4 N to 16 N: {growth}")


if __name__ == "__main__":
    main()
