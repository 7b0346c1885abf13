"""Real worker processes: what they import, how they end, what the flow learns of it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from waiting import is_running, wait_until

from core.errors import BadMedia
from core.memory import MemoryUse
from tasks.devices.process import WorkerDied, WorkerProcess
from tasks.devices.slots import Slot
from tasks.devices.timeouts import TimedOut, Timeouts
from tasks.devices.worker import ItemCrashed


def report_modules(request: dict[str, str], folder: Path, report: object) -> dict[str, object]:
    """An item function: what the worker is like."""
    import cv2

    assert callable(report)
    report(1, 2)
    (folder / "out").write_text("x")
    heavy = sorted(name for name in ("prefect", "torch", "sam2") if name in sys.modules)
    return {
        "heavy": heavy,
        "threads": cv2.getNumThreads(),
        "cuda": os.environ["CUDA_VISIBLE_DEVICES"],
        "pid": os.getpid(),
    }


def fail(request: dict[str, str], folder: Path, report: object) -> dict[str, object]:
    """An item function that refuses its input."""
    raise BadMedia("a.mp4: broken")


def die(request: dict[str, str], folder: Path, report: object) -> dict[str, object]:
    """An item function whose process is killed."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return {}


@pytest.fixture(autouse=True)
def importable_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def _make(worker: WorkerProcess, function: str, folder: Path, key: str = "k") -> dict[str, object]:
    return worker.make_item(f"test_process:{function}", {}, str(folder), key, {})


def test_a_worker_is_light_sees_one_device_and_stays(tmp_path: Path) -> None:
    reported: list[tuple[str, int, int | None, MemoryUse]] = []
    worker = WorkerProcess(Slot(3, 0), 1, lambda *progress: reported.append(progress))
    try:
        record = _make(worker, "report_modules", tmp_path / "a")
        assert record["heavy"] == []
        assert record["threads"] == 1
        assert record["cuda"] == "3"
        assert _make(worker, "report_modules", tmp_path / "b", "other")["pid"] == record["pid"]
        assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["manifest.json", "out"]
        wait_until(lambda: reported, "a report of progress")
        assert reported[0][:3] == ("k", 1, 2)
        assert 10 < reported[0][3].host_mib < 500
        assert reported[0][3].gpu_mib is None
    finally:
        worker.kill()
    assert not psutil.pid_exists(int(str(record["pid"])))


def test_a_finished_item_is_found_again_without_working(tmp_path: Path) -> None:
    worker = WorkerProcess(Slot(None, 0), 1, lambda *progress: None)
    try:
        first = _make(worker, "report_modules", tmp_path / "a")
        assert _make(worker, "fail", tmp_path / "a") == first
        with pytest.raises(BadMedia, match="broken"):
            _make(worker, "fail", tmp_path / "a", "another key")
    finally:
        worker.kill()


def test_a_crash_is_told_with_its_signal(tmp_path: Path) -> None:
    worker = WorkerProcess(Slot(None, 0), 1, lambda *progress: None)
    with pytest.raises(WorkerDied, match="killed by SIGSEGV"):
        _make(worker, "die", tmp_path / "a")
    assert list(tmp_path.glob("a")) == []
    worker.kill()


def test_a_worker_ends_with_its_parent_however_it_ends() -> None:
    script = (
        "import os, time\nfrom tasks.devices.process import WorkerProcess\nfrom tasks.devices.slots import Slot\n"
        "if __name__ == '__main__':\n"
        "    worker = WorkerProcess(Slot(None, 0), 1, print)\n"
        "    print(worker._process.pid, flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        worker = psutil.Process(pid)
        parent.kill()
    wait_until(lambda: not is_running(worker), "the worker to end with its parent")


def hang(request: dict[str, float], folder: Path, report: object) -> dict[str, object]:
    """An item function that says three times how far it is, and then nothing."""
    assert callable(report)
    for done in range(3):
        report(done, 10)
        time.sleep(0.3)
    time.sleep(request["then"])
    return {}


def odd_error(request: dict[str, str], folder: Path, report: object) -> dict[str, object]:
    """An item function whose error cannot travel, and has a word in it that executors use."""

    class Local(RuntimeError):
        def __init__(self, one: int, two: int) -> None:
            super().__init__("decoder shutdown failed")

    raise Local(1, 2)


def full_disk(request: dict[str, str], folder: Path, report: object) -> dict[str, object]:
    """An item function that finds no room."""
    raise OSError(28, "No space left on device", str(folder / "out"))


def _make_with(timeouts: Timeouts, tmp_path: Path, then: float) -> None:
    worker = WorkerProcess(Slot(None, 0), 1, lambda *progress: None, timeouts)
    try:
        worker.make_item("test_process:hang", {"then": then}, str(tmp_path / "a"), "k", {})
    finally:
        worker.kill()
        assert worker._process is not None
        assert not worker._process.is_alive()


def test_an_item_that_makes_no_progress_is_killed(tmp_path: Path) -> None:
    started_s = time.monotonic()
    with pytest.raises(TimedOut, match=r"no progress for 2 s \(it was at \d of 10\): it was killed"):
        _make_with(Timeouts(stall_s=2), tmp_path, then=600)
    assert time.monotonic() - started_s < 60


def test_an_item_that_takes_too_long_is_killed_though_it_makes_progress(tmp_path: Path) -> None:
    with pytest.raises(TimedOut, match=r"not done within item_timeout = 1\.5 s"):
        _make_with(Timeouts(stall_s=600, item_s=1.5), tmp_path, then=600)


def test_an_item_in_time_is_left_alone(tmp_path: Path) -> None:
    _make_with(Timeouts(stall_s=5, item_s=100), tmp_path, then=0)


def test_any_error_of_an_item_arrives_and_its_worker_lives(tmp_path: Path) -> None:
    worker = WorkerProcess(Slot(None, 0), 1, lambda *progress: None)
    try:
        with pytest.raises(ItemCrashed, match="Local: decoder shutdown failed") as raised:
            _make(worker, "odd_error", tmp_path / "a")
        assert "in odd_error" in raised.value.traceback
        with pytest.raises(ItemCrashed, match=r"No space left on device \(.*out\)"):
            _make(worker, "full_disk", tmp_path / "b")
        assert _make(worker, "report_modules", tmp_path / "c")["threads"] == 1
    finally:
        worker.kill()


def test_a_worker_that_cannot_start_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.devices.worker.ready", die_at_once)
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with pytest.raises(WorkerDied):
        WorkerProcess(Slot(None, 0), 1, lambda *progress: None)
    time.sleep(0.5)
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before | _trackers()


def die_at_once() -> int:
    """In the place of a worker's first answer."""
    os._exit(7)


def _trackers() -> set[int]:
    """Python's own resource tracker, started with the first worker of a process."""
    found = psutil.Process().children(recursive=True)
    return {child.pid for child in found if "resource_tracker" in " ".join(child.cmdline())}
