"""SAM 2 beside the package's own predictor: speed, memory, agreement, compiled modules, overlap with the host."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import torch
from sam2.modeling.sam2_base import SAM2Base

from benchmarks.gpu_check.report import Row, Setting, judged
from benchmarks.sam2_common import box, frames, package_predictor, random_model
from benchmarks.sam2_speed import WARM, agreement, ours_masks, package_masks, timed
from core.masks import rle
from core.models.device import default_device
from core.models.sam2.build import compile_modules
from core.models.sam2.segmenter import Sam2Segmenter
from core.weights.sam2_names import SamType

_GOALS = {1: 1.0, 16: 3.0}  # times the package's speed
_MIB = 2**20


def sam2_speed(setting: Setting) -> Iterator[Row]:
    """Tiny and large with 1, 4 and 16 objects, beside the package."""
    types: tuple[SamType, ...] = ("sam2.1_hiera_tiny", "sam2.1_hiera_large")
    images = list(frames(WARM + setting.frames, setting.side))
    for sam_type in types if setting.on_gpu else types[:1]:
        model = random_model(sam_type, default_device(), setting.side)
        package = package_predictor(sam_type, model)
        for count in (1, 4, 16) if setting.on_gpu else (1, 2):
            theirs, _, their_peak = timed(package_masks(package, images, count), default_device())
            looped = timed(ours_masks(model, images, count, 1, False), default_device())[1]
            ours, masks, our_peak = timed(ours_masks(model, images, count, 16, False), default_device())
            name = f"{sam_type}, {count} objects"
            yield Row(f"{name}: package", f"{theirs:.1f} ms a frame, {their_peak / _MIB:.0f} MiB")
            yield Row(f"{name}: ours", f"{ours:.1f} ms a frame, {our_peak / _MIB:.0f} MiB; {agreement(masks, looped)}")
            ratio = theirs / ours
            if count in _GOALS and setting.on_gpu:
                yield judged(f"{name}: speed of the package", ratio, _GOALS[count], "x")
            else:
                yield Row(f"{name}: speed of the package", f"{ratio:.2f} x")


def sam2_compiled(setting: Setting) -> Iterator[Row]:
    """`--sam-compile`: how much faster, and what it costs at the start."""
    images = list(frames(WARM + setting.frames, setting.side))
    model = random_model("sam2.1_hiera_tiny", default_device(), setting.side)
    plain = {count: timed(ours_masks(model, images, count, 16, False), default_device())[0] for count in (1, 4)}
    compile_modules(model, "inductor" if setting.on_gpu else "eager")
    for count in (1, 4):
        started_s = time.monotonic()
        compiled = timed(ours_masks(model, images, count, 16, True), default_device())[0]
        first_s = time.monotonic() - started_s - compiled / 1000 * setting.frames
        found = f"{compiled:.1f} ms a frame, {plain[count] / compiled:.2f} x; the first {WARM} frames {first_s:.0f} s"
        yield Row(f"tiny, {count} objects, compiled", found)


def overlap(setting: Setting) -> Iterator[Row]:
    """Encoding the next frame while the host works on the present masks: time a frame, and how busy the GPU is."""
    images = list(frames(WARM + 2 * setting.frames, setting.side))
    model = random_model(
        "sam2.1_hiera_large" if setting.on_gpu else "sam2.1_hiera_tiny", default_device(), setting.side
    )
    plain, _ = _session(model, images, ahead=False)
    ahead, busy = _session(model, images, ahead=True)
    yield Row("4 objects with RLE of each mask, one after the other", f"{plain:.1f} ms a frame")
    yield Row("the same, the next frame encoded meanwhile", f"{ahead:.1f} ms a frame, {plain / ahead:.2f} x")
    if busy:
        yield judged("GPU busy meanwhile", float(np.mean(busy)), 90, "%", 0)
    else:
        yield Row("GPU busy meanwhile", "its load cannot be read here", verdict="not run")


def _session(model: SAM2Base, images: list[np.ndarray], ahead: bool) -> tuple[float, list[float]]:
    """Milliseconds a frame of a whole session, and samples of the GPU's load in per cent."""
    session = Sam2Segmenter(model, "check").start()
    session.advance(images[0], images[1] if ahead else None)
    for obj_id in range(4):
        session.add(obj_id, box(obj_id, len(images[0])))
    started_s = 0.0
    with _Load() as load:
        for index, image in enumerate(images[1:-1], 1):
            masks = session.advance(image, images[index + 1] if ahead else None)
            for one in masks.values():
                rle.encode(one.mask)
            if index == WARM:
                started_s = time.perf_counter()
                load.samples.clear()
    return 1000 * (time.perf_counter() - started_s) / (len(images) - WARM - 2), load.samples


class _Load:
    """Samples of the GPU's load while it is open; none without a GPU."""

    def __init__(self) -> None:
        self.samples: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> "_Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        with suppress(Exception):  # its library or the right to ask it may be missing: then there are no samples
            while torch.cuda.is_available() and not self._ended.wait(0.02):
                self.samples.append(float(torch.cuda.utilization()))
