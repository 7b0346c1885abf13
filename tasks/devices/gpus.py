"""The GPUs of this host that this process may use, without loading torch.

NVIDIA's are found through NVML, or `nvidia-smi` where that library is missing, and chosen by `CUDA_VISIBLE_DEVICES` in
its order: indices, UUIDs (or their beginnings) and MIG ids, as people, SLURM and Kubernetes write them. What cannot be
matched is refused: work that was meant for a GPU must not run on the CPU without a word.
"""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from core.errors import RefusedInput

Kind = Literal["cuda", "rocm", "mps"]
_HIDES = "CUDA_VISIBLE_DEVICES"
_NONE = frozenset({"", "-1", "none", "void", "nodevfiles"})  # the last as SLURM says it
_AMD_NODES = Path("/sys/class/kfd/kfd/topology/nodes")


@dataclass(frozen=True)
class Gpu:
    """One device that a process can compute on.

    Attributes:
        index: as `nvidia-smi` counts; a part of a GPU (MIG) has the number it has among all devices.
        uuid: `GPU-…` or `MIG-…`; empty where it is not known.
        kind: how torch addresses it.
        free_mib: memory that nobody uses; None where that is not known.
        parent: index of the GPU it is a part of.
        old_name: of a part, as old drivers name it: `MIG-GPU-…/instance/compute instance`.
    """

    index: int
    uuid: str = ""
    kind: Kind = "cuda"
    free_mib: int | None = None
    parent: int | None = None
    old_name: str = ""

    def __str__(self) -> str:
        return f"{self.index} ({self.uuid})" if self.uuid else str(self.index)


def usable_gpus() -> list[Gpu]:
    """The devices this process may use, in the order it was given them. Raises `RefusedInput`, see above."""
    allowed = os.environ.get(_HIDES)
    if allowed is not None and allowed.strip().lower() in _NONE:
        return []
    nvidia = _nvidia_gpus()
    if nvidia or (allowed is not None and not _amd_gpus()):
        return nvidia if allowed is None else _chosen(_HIDES, allowed, nvidia)
    if _amd_gpus():
        return _amd_chosen() if _torch_build("+rocm") else []
    return [Gpu(0, kind="mps")] if _is_apple() and not _torch_build("+cpu") else []


def unused_gpu_note() -> str | None:
    """What a person should know of a GPU that is here and cannot be used; None where there is none."""
    if not _nvidia_gpus() and _amd_gpus() and not _torch_build("+rocm"):
        return "An AMD GPU is here, and the installed torch cannot use it: install its ROCm build; running on the CPU"
    return None


def _amd_chosen() -> list[Gpu]:
    """AMD's GPUs that the environment leaves, by any of the variables that ROCm follows."""
    left = _amd_gpus()
    for variable in ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", _HIDES):
        allowed = os.environ.get(variable)
        if allowed is not None:
            left = [] if allowed.strip().lower() in _NONE else _chosen(variable, allowed, left)
    return left


def _chosen(variable: str, allowed: str, there: list[Gpu]) -> list[Gpu]:
    chosen: list[Gpu] = []
    for part in allowed.split(","):
        name = part.strip()
        if name.lower() in _NONE:  # CUDA ends its list here, too
            break
        found = [gpu for gpu in there if _is_called(gpu, name)]
        whole = [gpu for gpu in found if gpu.parent is None]
        if not found or (not _is_number(name) and len(found) > 1 and len(whole) != 1):
            devices = ", ".join(map(str, there)) or "no GPU at all"
            accepted = f"an index, UUID or MIG id of a GPU of this host; {name!r} is none of them: there is {devices}"
            raise RefusedInput.of(variable, allowed, accepted)
        chosen += [gpu for gpu in (whole or found) if gpu not in chosen]
    return chosen


def _is_called(gpu: Gpu, name: str) -> bool:
    if _is_number(name):
        return int(name) in (gpu.index if gpu.parent is None else None, gpu.parent)
    beginning = name.lower()
    return (
        len(name) > len("GPU-")
        and beginning.startswith(("gpu-", "mig-"))
        and any(known.lower().startswith(beginning) for known in (gpu.uuid, gpu.old_name) if known)
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _nvidia_gpus() -> list[Gpu]:
    """NVIDIA's GPUs. Raises `RefusedInput` where there is a driver and nothing that answers for it."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        found = _nvidia_smi_gpus()
        if not found and not isinstance(error, pynvml.NVMLError_LibraryNotFound | pynvml.NVMLError_DriverNotLoaded):
            remedy = f"mend it (a restart after an update?), or set {_HIDES}= to run on the CPU"
            raise RefusedInput(f"NVIDIA's driver is here and does not answer ({error}): {remedy}") from None
        return found
    try:
        return list(_each_nvml_gpu(pynvml))
    except pynvml.NVMLError:
        return _nvidia_smi_gpus()
    finally:
        pynvml.nvmlShutdown()


def _each_nvml_gpu(nvml: Any) -> Iterator[Gpu]:
    handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    number = len(handles)
    for index, handle in enumerate(handles):
        uuid = _text(nvml.nvmlDeviceGetUUID(handle))
        parts = _mig_parts(nvml, handle)
        for part in parts:
            instance, compute = nvml.nvmlDeviceGetGpuInstanceId(part), nvml.nvmlDeviceGetComputeInstanceId(part)
            old_name = f"MIG-{uuid}/{instance}/{compute}"
            yield Gpu(number, _text(nvml.nvmlDeviceGetUUID(part)), "cuda", _free_mib(nvml, part), index, old_name)
            number += 1
        if not parts:
            yield Gpu(index, uuid, "cuda", _free_mib(nvml, handle))


def _mig_parts(nvml: Any, handle: Any) -> list[Any]:
    """The parts of a GPU that is divided; none where it is not."""
    try:
        current, _ = nvml.nvmlDeviceGetMigMode(handle)
        most = nvml.nvmlDeviceGetMaxMigDeviceCount(handle) if current else 0
    except nvml.NVMLError:
        return []
    parts = []
    for place in range(most):
        try:
            parts.append(nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, place))
        except nvml.NVMLError:  # places are not filled from the first on
            continue
    return parts


def _free_mib(nvml: Any, handle: Any) -> int | None:
    try:
        return int(nvml.nvmlDeviceGetMemoryInfo(handle).free) // 2**20
    except nvml.NVMLError:
        return None


def _text(name: "str | bytes") -> str:
    return name.decode() if isinstance(name, bytes) else name


def _nvidia_smi_gpus() -> list[Gpu]:
    """By the driver's tool: slower, and blind to the parts of a divided GPU."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=index,uuid,memory.free", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = re.findall(r"^(\d+)(?:, *([^,\s]+))?(?:, *(\d+))?", answer.stdout if answer.returncode == 0 else "", re.M)
    return [Gpu(int(index), uuid, "cuda", int(free) if free else None) for index, uuid, free in rows]


def _amd_gpus() -> list[Gpu]:
    """By the kernel's driver: its nodes with compute units are GPUs."""
    found: list[Gpu] = []
    for node in sorted(_AMD_NODES.glob("*/properties"), key=lambda path: path.parent.name.zfill(4)):
        with suppress(OSError):  # containers are denied those of others
            units = re.search(r"^simd_count (\d+)", node.read_text(errors="replace"), re.M)
            if units is not None and int(units[1]) > 0:
                found.append(Gpu(len(found), kind="rocm"))
    return found


def _is_apple() -> bool:
    return platform.system() == "Darwin" and platform.machine() == "arm64"


def _torch_build(suffix: str) -> bool:
    try:
        return suffix in version("torch")
    except PackageNotFoundError:
        return False
