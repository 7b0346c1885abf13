"""Slots: how many items may use which device at once."""

import os
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from core.errors import RefusedInput
from tasks.devices.gpus import Gpu, Kind, usable_gpus

MAX_SLOTS = 64
"""Most slots of a run on one host."""


@dataclass(frozen=True, order=True)
class Slot:
    """The right to run one item on a device.

    Attributes:
        gpu: index of the GPU; None for the CPU.
        index: distinguishes slots of a device.
        uuid: of the GPU, where it is known.
        kind: how torch addresses the GPU.
    """

    gpu: int | None
    index: int
    uuid: str = field(default="", compare=False)
    kind: Kind = field(default="cuda", compare=False)

    @property
    def device(self) -> str:
        """`GPU 0` or `CPU`: as the log names it."""
        return "CPU" if self.gpu is None else f"GPU {self.gpu}"

    @property
    def device_id(self) -> str:
        """`cpu`, or which GPU of this machine it is: what items took is kept by it."""
        return "cpu" if self.gpu is None else self.uuid or f"gpu-{self.gpu}"

    @property
    def name(self) -> str:
        """`gpu-0.1`, `GPU-8932f937.1` or `cpu-1000.1`: as its lock file is called.

        By the UUID: containers and SLURM jobs each count the devices they see from 0. Of the CPU by user:
        nobody waits for another user's runs.
        """
        if self.gpu is None:
            return f"cpu-{os.getuid()}.{self.index}"
        return f"{self.uuid.replace('/', '_')}.{self.index}" if self.uuid else f"gpu-{self.gpu}.{self.index}"

    @property
    def limit(self) -> str:
        """Name of the device's Prefect concurrency limit."""
        host = socket.gethostname()
        return f"cpu:{host}" if self.gpu is None else f"gpu:{host}:{self.gpu}"

    @property
    def environment(self) -> dict[str, str]:
        """What makes a fresh process see this device and no other; see `core.models.device.default_device`."""
        if self.gpu is None:
            return {"MASKFLOW_DEVICE": "cpu", "CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": ""}
        if self.kind == "mps":
            return {"MASKFLOW_DEVICE": "mps"}
        hides = "CUDA_VISIBLE_DEVICES" if self.kind == "cuda" else "HIP_VISIBLE_DEVICES"
        named = self.uuid or str(self.gpu)
        return {"MASKFLOW_DEVICE": "cuda", "CUDA_DEVICE_ORDER": "PCI_BUS_ID", hides: named}


def cpu_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_gpu_gib(slots: Sequence[Slot]) -> float | None:
    """GPU memory that is free for one of these slots, where it is least: slots of a GPU share it.

    None where that is not known. Loads no torch.
    """
    sharing = Counter(slot.gpu for slot in slots if slot.gpu is not None)
    free = {gpu.index: gpu.free_mib for gpu in usable_gpus()} if sharing else {}
    shares = [mib / count for gpu, count in sharing.items() if (mib := free.get(gpu)) is not None]
    return min(shares) / 1024 if shares else None


def cpu_slots(num_workers: int | None) -> list[Slot]:
    """Slots for work that needs no GPU, also where there is one: `num_workers`, or one per core."""
    return [Slot(None, index) for index in range(min(MAX_SLOTS, num_workers or cpu_cores()))]


def plan_slots(gpu_ids: Sequence[int] | None, num_workers: int | None, per_gpu: int = 1) -> list[Slot]:
    """The slots of a run.

    Args:
        gpu_ids: one slot per entry, repeats weight a device (`0 0 1`: two slots on GPU 0, one on GPU 1);
            None: every GPU once, or the CPU where there is none.
        num_workers: how many slots in all; more than `gpu_ids` go round them. None: as many as `gpu_ids`,
            on the CPU one per core.
        per_gpu: how often each GPU counts.

    Raises:
        RefusedInput: a device that is not there, or none at all.
    """
    present = {gpu.index: gpu for gpu in usable_gpus()}
    if gpu_ids is not None:
        unknown = sorted(set(gpu_ids) - set(present))
        if unknown or not gpu_ids:
            missing = "this host has no GPU that can be used; leave it out to use the CPU"
            raise RefusedInput.of("gpu_ids", list(gpu_ids), f"one or more of {list(present)}" if present else missing)
    if num_workers is not None and num_workers < 1:
        raise RefusedInput.of("num_workers", num_workers, "1 or more")
    chosen = [present[gpu] for gpu in (gpu_ids or present)] * per_gpu
    count = min(MAX_SLOTS, num_workers or len(chosen) or cpu_cores())
    taken: Counter[int | None] = Counter()
    slots = []
    for position in range(count):
        gpu: Gpu | None = chosen[position % len(chosen)] if chosen else None
        number = None if gpu is None else gpu.index
        slots.append(Slot(None, taken[None]) if gpu is None else Slot(gpu.index, taken[number], gpu.uuid, gpu.kind))
        taken[number] += 1
    return slots
