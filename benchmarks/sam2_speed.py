"""SAM 2 by number of objects, ours beside the package's predictor in one run: `python -m benchmarks.sam2_speed`.

Real architectures with random weights. On a GPU: bf16, 1024 pixels, tiny and large. On a CPU: tiny at a small size.
`--compile` compiles our modules first.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import torch
from sam2.modeling.sam2_base import SAM2Base

from benchmarks.sam2_common import box, frames, package_predictor, random_model
from core.models.device import default_device
from core.models.sam2.build import compile_modules
from core.models.sam2.predictor import StreamingPredictor, Window
from core.models.sam2.preprocess import prepare
from core.video.frames import RGB
from core.weights.sam2_names import SamType

WARM = 18  # frames until every memory is full
_MARGIN = 1e-3  # logits closer to 0 than this may fall either way


def main() -> None:
    """Print ms per frame, the fitted E + n M, peak GPU memory, and how far batched masks are from looped ones."""
    device = default_device()
    on_gpu = device.type == "cuda"
    parser = argparse.ArgumentParser()
    parser.add_argument("--sam-type", nargs="+", default=["tiny", "large"] if on_gpu else ["tiny"])
    parser.add_argument("--image-size", type=int, default=1024 if on_gpu else 128)
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 4, 16] if on_gpu else [1, 2, 4, 8, 16])
    parser.add_argument("--frames", type=int, default=60 if on_gpu else 10)
    parser.add_argument("--compile", action="store_true")
    given = parser.parse_args()
    name = torch.cuda.get_device_name() if on_gpu else f"CPU, {torch.get_num_threads()} threads"
    print(f"{name}, torch {torch.__version__}, {given.image_size} pixels, {given.frames} frames timed")
    for size in given.sam_type:
        _compare(cast(SamType, f"sam2.1_hiera_{size}"), device, given)


def _compare(sam_type: SamType, device: torch.device, given: argparse.Namespace) -> None:
    model = random_model(sam_type, device, given.image_size)
    package = package_predictor(sam_type, model)
    if given.compile:
        compile_modules(model)
    images = list(frames(WARM + given.frames, given.image_size))
    ways: dict[str, Callable[[int], Iterator[torch.Tensor]]] = {
        "package": lambda n: package_masks(package, images, n),
        "looped": lambda n: ours_masks(model, images, n, 1, given.compile),
        "batched": lambda n: ours_masks(model, images, n, 16, given.compile),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for count in given.objects:
        last: dict[str, list[torch.Tensor]] = {}
        for way, run in ways.items():
            milliseconds, last[way], peak = timed(run(count), device)
            times[way].append(milliseconds)
            memory = f", peak {peak / 2**20:.0f} MiB" if device.type == "cuda" else ""
            print(f"{sam_type}, {count} objects, {way}: {milliseconds:.1f} ms per frame{memory}", flush=True)
        ratios = times["package"][-1] / times["batched"][-1], times["looped"][-1] / times["batched"][-1]
        print(f"  batched is {ratios[0]:.2f} x the package's speed and {ratios[1]:.2f} x the looped one's;", end=" ")
        print(agreement(last["batched"], last["looped"]))
    for way, measured in times.items():
        if len(measured) > 1:
            per_object, per_frame = np.polyfit(given.objects, measured, 1)
            print(f"{sam_type}, {way}: E = {per_frame:.1f} ms, M = {per_object:.1f} ms")


def timed(masks: Iterator[torch.Tensor], device: torch.device) -> tuple[float, list[torch.Tensor], int]:
    """Milliseconds per frame once memories are full; the masks; the peak of GPU memory in bytes."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    kept, started = [], 0.0
    for index, logits in enumerate(masks):
        kept.append(logits.float().cpu())  # as every user needs them; it waits for the GPU
        if index == WARM - 1:
            started = time.perf_counter()
    elapsed = time.perf_counter() - started
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else 0
    return 1000 * elapsed / (len(kept) - WARM), kept, peak


def ours_masks(model: SAM2Base, images: list[RGB], count: int, batch: int, pad: bool) -> Iterator[torch.Tensor]:
    """Small logits of each frame, by our predictor."""
    predictor = StreamingPredictor(model, Window(*images[0].shape[:2]), batch, pad)
    predictor.advance(images[0])
    for obj_id in range(count):
        predictor.add(obj_id, box(obj_id, images[0].shape[0]))
    yield torch.zeros(0)
    for image in images[1:]:
        yield predictor.advance(image).logits


def package_masks(predictor: Any, images: list[RGB], count: int) -> Iterator[torch.Tensor]:
    """The package's predictor on frames prepared one at a time, as ours are."""

    class Lazy:
        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, index: int) -> torch.Tensor:
            return prepare(images[index], predictor.image_size, predictor.device)[0]

    size = images[0].shape[0]
    state = _empty_state(predictor, Lazy(), len(images), size)
    with (
        torch.inference_mode(),
        torch.autocast(predictor.device.type, torch.bfloat16, enabled=predictor.device.type == "cuda"),
    ):
        for obj_id in range(count):
            predictor.add_new_points_or_box(state, 0, obj_id, box=box(obj_id, size).box)
        for frame, _, _ in predictor.propagate_in_video(state):
            # The small logits, as ours: enlarging them is the same work on both sides.
            outputs = (one["non_cond_frame_outputs"].get(frame) for one in state["output_dict_per_obj"].values())
            small = [one["pred_masks"] for one in outputs if one is not None]
            yield torch.cat(small) if small else torch.zeros(0)


def _empty_state(predictor: Any, images: Any, count: int, size: int) -> dict[str, Any]:
    """What the package's `init_state` makes, without loading a whole video."""
    per_object = ("point_inputs_per_obj", "mask_inputs_per_obj", "output_dict_per_obj", "temp_output_dict_per_obj")
    return {
        "images": images,
        "num_frames": count,
        "offload_video_to_cpu": False,
        "offload_state_to_cpu": False,
        "video_height": size,
        "video_width": size,
        "device": predictor.device,
        "storage_device": predictor.device,
        "cached_features": {},
        "constants": {},
        "obj_id_to_idx": {},
        "obj_idx_to_id": {},
        "obj_ids": [],
        "frames_tracked_per_obj": {},
        **{name: {} for name in per_object},
    }


def agreement(batched: list[torch.Tensor], looped: list[torch.Tensor]) -> str:
    """IoU of masks where the looped logits are clear, and the largest difference of any logit."""
    ours, theirs = torch.cat(batched[1:]), torch.cat(looped[1:])
    clear = theirs.abs() > _MARGIN
    both, either = ((ours > 0) & (theirs > 0) & clear).sum(), (((ours > 0) | (theirs > 0)) & clear).sum()
    return f"IoU {both / either:.5f}, largest difference of a logit {(ours - theirs).abs().max():.2g}"


if __name__ == "__main__":
    main()
