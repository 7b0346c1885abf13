"""Slots: how many items may use which device at once."""

import os
import re
import shutil
import socket
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import RefusedInput


@dataclass(frozen=True, order=True)
class Slot:
    """The right to run one item on a device. `gpu` is None for the CPU; `index` tells slots of a device apart."""

    gpu: int | None
    index: int

    @property
    def device(self) -> str:
        """`GPU 0` or `CPU`: as the log names it."""
        return "CPU" if self.gpu is None else f"GPU {self.gpu}"

    @property
    def name(self) -> str:
        """`gpu-0.1` or `cpu.1`: as its lock file is called."""
        return f"cpu.{self.index}" if self.gpu is None else f"gpu-{self.gpu}.{self.index}"

    @property
    def limit(self) -> str:
        """Name of the device's Prefect concurrency limit."""
        host = socket.gethostname()
        return f"cpu:{host}" if self.gpu is None else f"gpu:{host}:{self.gpu}"


MAX_SLOTS = 64
"""Most slots of a run on one host."""


def cpu_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cuda_devices() -> list[int]:
    """Indices of the CUDA devices of this host that `CUDA_VISIBLE_DEVICES` leaves, without loading torch."""
    found = [int(line) for line in _nvidia_smi("index").split() if line.isdigit()]
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return found
    return [int(part) for part in allowed.split(",") if part.strip().isdigit() and int(part) in found]


def _nvidia_smi(wanted: str) -> str:
    """What the driver's tool tells of each GPU, a line each; nothing where there is none, or it does not answer."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    query = [tool, f"--query-gpu={wanted}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout if answer.returncode == 0 else ""


def free_gpu_gib(slots: Sequence[Slot]) -> float | None:
    """GPU memory that is free for one of these slots, where it is least: slots of a GPU share it.

    None where that is not known. Loads no torch.
    """
    sharing = Counter(slot.gpu for slot in slots if slot.gpu is not None)
    free = dict(re.findall(r"^(\d+), *(\d+)", _nvidia_smi("index,memory.free"), re.MULTILINE)) if sharing else {}
    shares = [int(free[str(gpu)]) / count for gpu, count in sharing.items() if str(gpu) in free]
    return min(shares) / 1024 if shares else None


def cpu_slots(num_workers: int | None) -> list[Slot]:
    """Slots for work that needs no GPU, also where there is one: `num_workers`, or one per core."""
    return [Slot(None, index) for index in range(min(MAX_SLOTS, num_workers or cpu_cores()))]


def plan_slots(gpu_ids: Sequence[int] | None, num_workers: int | None) -> list[Slot]:
    """The slots of a run.

    Args:
        gpu_ids: one slot per entry, repeats weight a device (`0 0 1`: two slots on GPU 0, one on GPU 1);
            None: every CUDA device once, or the CPU where there is none.
        num_workers: how many slots in all; more than `gpu_ids` go round them. None: as many as `gpu_ids`,
            on the CPU one per core.

    Raises:
        RefusedInput: a device that is not there, or none at all.
    """
    present = cuda_devices()
    if gpu_ids is not None:
        unknown = sorted(set(gpu_ids) - set(present))
        if unknown or not gpu_ids:
            there = (
                f"one or more of {present}" if present else "this host has no CUDA device; leave it out to use the CPU"
            )
            raise RefusedInput.of("gpu_ids", list(gpu_ids), there)
    if num_workers is not None and num_workers < 1:
        raise RefusedInput.of("num_workers", num_workers, "1 or more")
    ids: Sequence[int | None] = gpu_ids or present or [None]
    count = min(MAX_SLOTS, num_workers or (cpu_cores() if ids == [None] else len(ids)))
    taken: Counter[int | None] = Counter()
    slots = []
    for position in range(count):
        device = ids[position % len(ids)]
        slots.append(Slot(device, taken[device]))
        taken[device] += 1
    return slots
