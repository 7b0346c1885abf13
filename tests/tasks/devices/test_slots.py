import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from core.errors import RefusedInput
from tasks.devices import slots
from tasks.devices.lock import locks_folder, try_lock
from tasks.devices.slots import Slot, cpu_cores, plan_slots

LISTED = "0, GPU-aa11, 1000\\n1, GPU-ab22, 2000\\n2, GPU-cc33, 3000\\n"


@pytest.fixture
def three_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose `nvidia-smi` lists three devices."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nprintf '{LISTED}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")


@pytest.mark.usefixtures("three_gpus")
def test_repeats_weight_a_device_and_workers_go_round() -> None:
    assert plan_slots([0, 0, 1], None) == [Slot(0, 0), Slot(0, 1), Slot(1, 0)]
    assert plan_slots(None, None) == [Slot(0, 0), Slot(1, 0), Slot(2, 0)]
    assert plan_slots([0, 1], 4) == [Slot(0, 0), Slot(1, 0), Slot(0, 1), Slot(1, 1)]
    assert plan_slots([2, 1], 1) == [Slot(2, 0)]


@pytest.mark.usefixtures("three_gpus")
def test_the_environment_may_hide_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")
    assert [slot.gpu for slot in plan_slots(None, None)] == [2, 0]
    with pytest.raises(RefusedInput, match=r"one or more of \[2, 0\]"):
        plan_slots([1], None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert {slot.gpu for slot in plan_slots(None, None)} == {None}


@pytest.mark.usefixtures("three_gpus")
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(RefusedInput, match=r"gpu_ids = \[0, 7\].*one or more of \[0, 1, 2\]"):
        plan_slots([0, 7], None)


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_there_is_a_slot_per_core() -> None:
    assert plan_slots(None, None) == [Slot(None, index) for index in range(cpu_cores())]
    assert len(plan_slots(None, 5)) == 5
    with pytest.raises(RefusedInput, match="this host has no GPU"):
        plan_slots([0], None)
    with pytest.raises(RefusedInput, match="num_workers"):
        plan_slots(None, 0)


def test_names() -> None:
    assert (Slot(3, 1).name, Slot(3, 1).device, Slot(None, 0).name) == ("gpu-3.1", "GPU 3", f"cpu-{os.getuid()}.0")
    assert Slot(3, 1).limit.endswith(":3")
    assert Counter(s.limit for s in [Slot(3, 1), Slot(3, 0)]) == {Slot(3, 0).limit: 2}
    assert slots.Slot(None, 0).limit.startswith("cpu:")


def test_a_lock_is_exclusive_and_dies_with_its_holder() -> None:
    name = "test.0"
    script = (
        "import sys, time; from tasks.devices.lock import try_lock\n"
        f"lock = try_lock({name!r}); lock.remember_lease('lease-of-the-dead'); print('held', flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert try_lock(name) is None
        holder.kill()
    lock = try_lock(name)
    assert lock is not None
    assert lock.left_lease() == "lease-of-the-dead"
    lock.remember_lease(None)
    assert lock.left_lease() is None
    assert try_lock(name) is None
    lock.release()
    again = try_lock(name)
    assert again is not None
    again.release()


def test_a_lock_file_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    from core.errors import MaskflowError

    link = locks_folder() / "test.link.lock"
    link.symlink_to(tmp_path / "elsewhere")
    try:
        with pytest.raises(MaskflowError, match="cannot be opened"):
            try_lock("test.link")
        assert not (tmp_path / "elsewhere").exists()
    finally:
        link.unlink()
