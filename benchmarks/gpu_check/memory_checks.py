"""GPU memory and slots: running out with back-off, two workers on one GPU, a killed worker, the GPUs' ids."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict

from benchmarks.gpu_check.report import Row, Setting, judged, true_or_not
from benchmarks.sam2_common import box, frames, random_model
from core.item import Record, item
from core.memory import take_memory_notes
from core.models.device import default_device
from core.models.sam2.segmenter import Sam2Segmenter
from core.progress import Progress
from core.prompts import TrackedMask
from tasks.devices.gpus import usable_gpus
from tasks.devices.process import WorkerDied, WorkerProcess
from tasks.devices.slots import plan_slots

_GIB = 2**30
_ITEM = f"{__name__}:busy"


def out_of_memory(setting: Setting) -> Iterator[Row]:  # noqa: ARG001 - of one size
    """Sixteen objects in far too little memory: fewer at once, and nearly the same masks."""
    model = random_model("sam2.1_hiera_large", default_device(), 1024)
    roomy = _track(model)[0]
    needed = torch.cuda.max_memory_allocated() - torch.cuda.memory_allocated()
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_allocated() + 0.6 * needed) / total)
    try:
        tight, notes = _track(model)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    same = float(np.mean([np.mean(roomy[one].mask == tight[one].mask) for one in roomy]))
    yield true_or_not("went on with less at once", bool(notes), "; ".join(notes) or "no notes")
    yield judged("pixels that are the same", 100 * same, 99, "%", 2)


def _track(model: Any) -> tuple[Mapping[int, TrackedMask], list[str]]:
    take_memory_notes()
    torch.cuda.reset_peak_memory_stats()
    session = Sam2Segmenter(model, "check").start()
    images = list(frames(12, 1024))
    masks = session.advance(images[0])
    for obj_id in range(16):
        session.add(obj_id, box(obj_id, 1024))
    for image in images[1:]:
        masks = session.advance(image)
    return masks, list(take_memory_notes())


class BusyRequest(BaseModel):
    """Track objects on rendered frames with a tiny SAM 2 of random weights, for a number of frames."""

    model_config = ConfigDict(frozen=True)
    side: int
    frames: int
    hold_gib: float = 0.0
    wait_s: float = 0.0


@item(BusyRequest)
def busy(request: BusyRequest, folder: Path, report: Progress) -> Record:  # noqa: ARG001 - leaves no file
    """The work of a worker in these checks."""
    device = default_device()
    held = torch.empty(int(request.hold_gib * _GIB), dtype=torch.uint8, device=device).fill_(1)
    session = Sam2Segmenter(random_model("sam2.1_hiera_tiny", device, request.side), "check").start()
    images = list(frames(4, request.side))
    session.advance(images[0])
    session.add(1, box(0, request.side))
    started_s = time.monotonic()
    for index in range(request.frames):
        session.advance(images[index % 4])
        report(index + 1, request.frames)
    seconds = time.monotonic() - started_s
    time.sleep(request.wait_s)
    return {"seconds": seconds, "held": int(held[0]) if len(held) else 0, "device": str(device)}


def two_slots(setting: Setting) -> Iterator[Row]:
    """Two workers on one GPU beside one: frames a second of both together."""
    slots = plan_slots([0] if setting.on_gpu else None, None if setting.on_gpu else 2, 2 if setting.on_gpu else 1)
    request = BusyRequest(side=setting.side, frames=100 if setting.on_gpu else 4)
    workers = [WorkerProcess(slot, 4, lambda *_: None) for slot in slots[:2]]
    try:
        _make(workers[0], request, setting.folder / "warm")
        alone = request.frames / _make(workers[0], request, setting.folder / "alone")["seconds"]
        with ThreadPoolExecutor(2) as both:
            started_s = time.monotonic()
            jobs = [both.submit(_make, worker, request, setting.folder / f"w{n}") for n, worker in enumerate(workers)]
            devices = {job.result()["device"] for job in jobs}
            together = 2 * request.frames / (time.monotonic() - started_s)
    finally:
        for worker in workers:
            worker.kill()
    yield Row("one worker", f"{alone:.1f} frames a second")
    yield Row("two workers, the loading of the second's model included", f"{together:.1f} frames a second")
    expected = {"cuda"} if setting.on_gpu else {"cpu"}
    yield true_or_not("each ran where it should", devices == expected, ", ".join(devices))


def killed_worker(setting: Setting) -> Iterator[Row]:
    """A worker that holds 20 GiB is killed in mid-item: its memory is free again within seconds."""
    slot = plan_slots([0] if setting.on_gpu else None, 1)[0]
    worker = WorkerProcess(slot, 2, lambda *_: None)
    before = _free_gib()
    request = BusyRequest(side=setting.side, frames=2, hold_gib=20 if setting.on_gpu else 0, wait_s=60)
    with ThreadPoolExecutor(1) as thread:
        job = thread.submit(_make, worker, request, setting.folder / "killed")
        begun_s = time.monotonic()
        while time.monotonic() - begun_s < 40 and (not setting.on_gpu or before - _free_gib() < 19):
            time.sleep(0.5)
            if not setting.on_gpu and time.monotonic() - begun_s > 8:
                break
        during = _free_gib()
        worker.kill()
        died = isinstance(job.exception(timeout=30), WorkerDied)
    yield true_or_not("the item fails as a died worker", died, "yes" if died else "no")
    if not setting.on_gpu:
        return
    deadline_s, started_s = time.monotonic() + 10, time.monotonic()
    while _free_gib() < before - 0.5 and time.monotonic() < deadline_s:
        time.sleep(0.1)
    held, left = before - during, before - _free_gib()
    found = f"{held:.1f} GiB held, {left:.1f} GiB left {time.monotonic() - started_s:.1f} s later"
    yield true_or_not("its memory is free again", held > 15 and left < 0.5, found)


def ids(_: Setting) -> Iterator[Row]:
    """The GPUs that NVML lists are those that torch sees."""
    listed = [gpu.uuid for gpu in usable_gpus()]
    seen = [f"GPU-{torch.cuda.get_device_properties(index).uuid}" for index in range(torch.cuda.device_count())]
    yield true_or_not("ids of NVML and torch agree", listed == seen, ", ".join(listed))


def _make(worker: WorkerProcess, request: BusyRequest, folder: Path) -> dict[str, Any]:
    return worker.make_item(_ITEM, request.model_dump(mode="json"), str(folder), folder.name, {})


def _free_gib() -> float:
    return (usable_gpus()[0].free_mib or 0) / 1024 if torch.cuda.is_available() else 0.0
