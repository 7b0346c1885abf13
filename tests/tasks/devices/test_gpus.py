"""Which GPUs a process may use, as people, SLURM and Kubernetes say it; on machines that are described here."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from core.errors import RefusedInput
from tasks.devices import gpus
from tasks.devices.gpus import unused_gpu_note, usable_gpus
from tasks.devices.slots import free_gpu_gib, plan_slots

A, B, C = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "GPU-89aa0000-0000", "GPU-c0ffee00-0000"
M1, M2 = "MIG-11111111-aaaa", "MIG-22222222-bbbb"


@dataclass
class _Card:
    uuid: str
    parts: list[str] = field(default_factory=list)


class NVMLError(Exception):
    """As NVIDIA's library raises."""


class LibraryNotFound(NVMLError):
    """A machine without NVIDIA's driver."""


class DriverNotLoaded(NVMLError):
    """The library without its driver."""


def _library(cards: list[_Card]) -> ModuleType:
    """NVIDIA's library on a machine with these cards."""

    def mig_part(card: _Card, place: int) -> SimpleNamespace:
        if place >= len(card.parts):
            raise NVMLError
        return SimpleNamespace(uuid=card.parts[place], gi=place + 7, ci=0)

    def mig_mode(card: _Card) -> tuple[int, int]:
        if not card.uuid.startswith("GPU-8"):
            raise NVMLError("not supported")
        return int(bool(card.parts)), 0

    library = ModuleType("pynvml")
    functions: dict[str, Callable[..., object]] = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: len(cards),
        "nvmlDeviceGetHandleByIndex": lambda index: cards[index],
        "nvmlDeviceGetUUID": lambda one: one.uuid.encode() if one.uuid == B else one.uuid,
        "nvmlDeviceGetMigMode": mig_mode,
        "nvmlDeviceGetMaxMigDeviceCount": lambda card: 7,
        "nvmlDeviceGetMigDeviceHandleByIndex": mig_part,
        "nvmlDeviceGetGpuInstanceId": lambda part: part.gi,
        "nvmlDeviceGetComputeInstanceId": lambda part: part.ci,
        "nvmlDeviceGetMemoryInfo": lambda one: SimpleNamespace(free=8 * 2**30),
        "NVMLError": NVMLError,
        "NVMLError_LibraryNotFound": LibraryNotFound,
        "NVMLError_DriverNotLoaded": DriverNotLoaded,
    }
    vars(library).update(functions)
    return library


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", _library([_Card(A), _Card(B), _Card(C)]))


@pytest.fixture
def divided(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of two cards is divided in two."""
    monkeypatch.setitem(sys.modules, "pynvml", _library([_Card(A, [M1, M2]), _Card(C)]))


def _does_not_start(error: NVMLError) -> ModuleType:
    def start() -> None:
        raise error

    library = _library([])
    vars(library)["nvmlInit"] = start
    return library


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", _does_not_start(LibraryNotFound("NVML Shared Library Not Found")))
    monkeypatch.setattr(gpus, "_AMD_NODES", tmp_path)


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        (None, [A, B, C]),
        ("0", [A]),
        ("2,0", [C, A]),
        (" 1 , 2 ", [B, C]),
        (A, [A]),
        (f"{C},{A}", [C, A]),
        ("GPU-893", [A]),
        ("gpu-C0FFEE", [C]),
        (f"1,{C}", [B, C]),
        ("1,-1,0", [B]),
        ("0,0", [A]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("none", []),
        ("void", []),
    ],
)
def test_visible_devices_in_their_order(given: str | None, chosen: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if given is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert [gpu.uuid for gpu in usable_gpus()] == chosen


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("given", ["7", "0,7", "GPU-dead", "GPU-89", "GPU-", M1, "all", "0 1", "cuda:0", "²"])
def test_what_cannot_be_matched_is_refused_with_what_is_there(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    with pytest.raises(RefusedInput, match=f"CUDA_VISIBLE_DEVICES.*there is 0 \\({A}\\), 1"):
        usable_gpus()
    with pytest.raises(RefusedInput):
        plan_slots(None, None)


@pytest.mark.usefixtures("divided")
@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        (None, [M1, M2, C]),
        (M2, [M2]),
        (f"{M2},{M1}", [M2, M1]),
        (f"MIG-{A}/8/0", [M2]),
        ("1", [C]),
        ("0", [M1, M2]),
    ],
)
def test_parts_of_a_divided_gpu(given: str | None, chosen: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if given is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert [gpu.uuid for gpu in usable_gpus()] == chosen
    assert len({gpu.index for gpu in usable_gpus()}) == len(chosen)


@pytest.mark.usefixtures("three")
def test_a_slot_sees_its_own_gpu_and_locks_it_by_its_uuid() -> None:
    slots = plan_slots([2, 2, 0], None)
    assert [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots] == [C, C, A]
    assert [slot.name for slot in slots] == [f"{C}.0", f"{C}.1", f"{A}.0"]
    assert free_gpu_gib(slots) == 4  # two slots share one of 8
    assert plan_slots(None, None)[0].environment["MASKFLOW_DEVICE"] == "cuda"


@pytest.mark.usefixtures("nothing")
def test_a_gpu_that_is_named_where_there_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert usable_gpus() == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", A)
    with pytest.raises(RefusedInput, match="there is no GPU at all"):
        plan_slots(None, None)


@pytest.mark.usefixtures("nothing")
def test_the_drivers_tool_where_the_library_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nprintf '0\\n1\\n'\n")  # whatever it is requested
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert [slot.gpu for slot in plan_slots(None, None)] == [0, 1]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", A)
    with pytest.raises(RefusedInput, match="there is 0, 1"):
        plan_slots(None, None)


def test_a_driver_that_does_not_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after an update of the driver without a restart; computing on the CPU without a word would take days."""
    monkeypatch.setitem(sys.modules, "pynvml", _does_not_start(NVMLError("Driver/library version mismatch")))
    with pytest.raises(RefusedInput, match=r"version mismatch.*CUDA_VISIBLE_DEVICES="):
        plan_slots(None, None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert usable_gpus() == []


@pytest.mark.usefixtures("nothing")
@pytest.mark.parametrize(
    ("environment", "left"),
    [
        ({"HIP_VISIBLE_DEVICES": "1"}, [1]),
        ({"CUDA_VISIBLE_DEVICES": "0"}, [0]),
        ({"ROCR_VISIBLE_DEVICES": ""}, []),
        ({"HIP_VISIBLE_DEVICES": "-1"}, []),
    ],
)
def test_what_hides_amds_gpus(
    environment: dict[str, str], left: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for node in range(2):
        (tmp_path / str(node)).mkdir()
        (tmp_path / str(node) / "properties").write_text("simd_count 304\n")
    monkeypatch.setattr(gpus, "version", lambda _: "2.11.0+rocm6.3")
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert [gpu.index for gpu in usable_gpus()] == left


@pytest.mark.usefixtures("nothing")
@pytest.mark.parametrize(("torch_version", "used"), [("2.11.0+rocm6.3", 2), ("2.11.0+cpu", 0)])
def test_amd_where_torch_can_use_it(
    torch_version: str, used: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for node, units in enumerate([0, 304, 304]):  # the first is the CPU
        (tmp_path / str(node)).mkdir()
        (tmp_path / str(node) / "properties").write_text(f"cpu_cores_count 4\nsimd_count {units}\nmem_banks_count 1\n")
    monkeypatch.setattr(gpus, "version", lambda _: torch_version)
    assert len(usable_gpus()) == used
    assert (unused_gpu_note() is None) == (used > 0)
    if used:
        assert plan_slots([1], None)[0].environment["HIP_VISIBLE_DEVICES"] == "1"


@pytest.mark.usefixtures("nothing")
def test_apples_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    monkeypatch.setattr(gpus, "version", lambda _: "2.11.0")
    (slot,) = plan_slots(None, None)
    assert slot.environment == {"MASKFLOW_DEVICE": "mps"}


def test_a_gpu_slot_never_computes_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from core.errors import Unavailable
    from core.models.device import default_device

    monkeypatch.setenv("MASKFLOW_DEVICE", "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(Unavailable, match="cannot use the GPU of this slot"):
        default_device()
    monkeypatch.setenv("MASKFLOW_DEVICE", "cpu")
    assert default_device().type == "cpu"


@pytest.mark.parametrize(("has_it", "name"), [(True, "bfloat16"), (False, "float16")])
def test_half_precision_is_what_the_gpu_has(has_it: bool, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from core.models.device import half_dtype

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: has_it)
    assert str(half_dtype()) == f"torch.{name}"


def test_locks_are_where_the_whole_host_sees_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tasks.devices import lock

    monkeypatch.delenv("MASKFLOW_SLOT_LOCKS")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "of-this-job"))
    lock._shared_folder.cache_clear()
    folder = lock.locks_folder()
    assert folder.parent in lock._PLACES
    assert lock.locks_note() is None
    monkeypatch.setattr(lock, "_PLACES", (tmp_path / "none",))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    lock._shared_folder.cache_clear()
    assert lock.locks_folder() == tmp_path / "maskflow-slots"
    assert "do not see them" in str(lock.locks_note())
    lock._shared_folder.cache_clear()
    assert os.environ["TMPDIR"]
