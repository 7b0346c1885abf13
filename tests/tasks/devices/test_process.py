"""Real worker processes: what they import, how they end, what the flow learns of it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from core.errors import BadMedia
from core.memory import MemoryUse
from tasks.devices.process import WorkerDied, WorkerProcess
from tasks.devices.slots import Slot


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
    told: list[tuple[str, int, int | None, MemoryUse]] = []
    worker = WorkerProcess(Slot(3, 0), 1, lambda *progress: told.append(progress))
    try:
        record = _make(worker, "report_modules", tmp_path / "a")
        assert record["heavy"] == []
        assert record["threads"] == 1
        assert record["cuda"] == "3"
        assert _make(worker, "report_modules", tmp_path / "b", "other")["pid"] == record["pid"]
        assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["manifest.json", "out"]
        deadline = time.monotonic() + 5
        while not told and time.monotonic() < deadline:
            time.sleep(0.02)
        assert told[0][:3] == ("k", 1, 2)
        assert 10 < told[0][3].host_mib < 500
        assert told[0][3].gpu_mib is None
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
        assert psutil.pid_exists(pid)
        parent.kill()
    deadline = time.monotonic() + 5
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the worker outlived its parent"
        time.sleep(0.02)
