"""Train the tiny SAM 2 of the tests and the demo from nothing, on rendered clips, and judge it on others.

    python -m benchmarks.train_tiny_sam2                 # writes core/weights/tiny_sam2.safetensors; about an hour
    python -m benchmarks.train_tiny_sam2 --judge FILE    # only judge a file

It runs on one thread, so that it gives the same bytes each time on one kind of processor with the same versions of
torch, NumPy and OpenCV; two can run beside each other on two cores.
"""

import argparse
import sys
from pathlib import Path

import torch

from benchmarks.tiny_sam2.judging import judge_demo, judge_held_out
from benchmarks.tiny_sam2.pictures import draw_tracks
from benchmarks.tiny_sam2.training import Schedule, train
from core.models.sam2.architecture import Architecture, build_architecture
from core.models.sam2.own_weights import load_own_weights, save_own_weights
from core.store.digests import sha256_file
from core.weights.catalogue import TINY_SAM2

_CPU = torch.device("cpu")
_STEPS = 9000
_SEED = 0
ARCHITECTURE = Architecture(
    image_size=128,
    embed_dim=20,
    stages=(1, 2, 3, 1),
    global_attention=(4, 5),
    windows=(8, 8, 8, 4),
    dim=128,
    memory_dim=32,
    memory_layers=2,
    fuser_layers=1,
    feed_forward=192,
    decoder_heads=4,
)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=_STEPS, help=f"of the optimiser ({_STEPS})")
    parser.add_argument("--output", type=Path, default=TINY_SAM2, help="the weights that are written")
    parser.add_argument("--judge", type=Path, help="judge this file, and train nothing")
    parser.add_argument("--picture", type=Path, help="draw what it tracks to this file")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.judge is None:
        torch.manual_seed(_SEED)
        model = build_architecture(ARCHITECTURE, _CPU)
        print(f"{sum(one.numel() for one in model.parameters()):,} parameters", flush=True)
        train(model, Schedule(given.steps), _SEED, lambda line: print(line, flush=True))
        save_own_weights(
            model, ARCHITECTURE, given.output, f"python -m benchmarks.train_tiny_sam2 --steps {given.steps}"
        )
    path = given.judge or given.output
    if not path.is_file():
        sys.exit(f"{path} is not there")
    print(f"{path}: {path.stat().st_size:,} bytes, SHA-256 {sha256_file(path)}")
    model = load_own_weights(path, _CPU)
    print(f"Held out: {judge_held_out(model).lines()}")
    print(f"Demo's clips: {judge_demo(model).lines()}")
    if given.picture is not None:
        draw_tracks(model, given.picture)


if __name__ == "__main__":
    main()
