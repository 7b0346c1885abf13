"""A run over a real Dask cluster: scheduler and workers as processes of their own."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from at_addresses import is_as_local, other_machine, upload
from conftest import MakeVideo
from running import Done, finish, maskflow, start
from waiting import spawned_by, wait_until

from benchmarks.injection_flows import make_case

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def _dask(*arguments: str, daemon: bool = False, **environment: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments, "--no-dashboard"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "DASK_DISTRIBUTED__WORKER__DAEMON": str(daemon), **environment},
        start_new_session=True,
    )


@dataclass(frozen=True)
class Cluster:
    """A scheduler, and the process whose children are the workers."""

    address: str
    scheduler: "subprocess.Popen[bytes]"
    nanny: psutil.Process


@contextmanager
def _cluster(workers: int, daemon: bool = False, **environment: str) -> Iterator[Cluster]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    scheduler = _dask("scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2])
    nanny = _dask("worker", address, "--nworkers", str(workers), "--nthreads", "1", daemon=daemon, **environment)
    try:
        from distributed import Client

        with Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)
        yield Cluster(address, scheduler, psutil.Process(nanny.pid))
    finally:
        for process in (nanny, scheduler):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _device_workers(nanny: psutil.Process) -> list[psutil.Process]:
    return [child for worker in spawned_by(nanny) for child in spawned_by(worker)]


def _arguments(videos: Path, output: Path, *more: object) -> list[object]:
    return ["track-videos", "--video-list", videos, "--text-prompt", "red square", "--output-jsonl", output, *more]


def _list(folder: Path, make_video: MakeVideo, count: int, frames: int) -> Path:
    videos = folder / "videos.txt"
    made = [make_video(folder / f"clip{seed}.mp4", frames=frames, seed=seed) for seed in range(count)]
    videos.write_text("".join(f"{video}\n" for video in made))
    return videos


def test_workers_are_killed_and_the_results_are_those_of_one_machine(tmp_path: Path, make_video: MakeVideo) -> None:
    videos = _list(tmp_path, make_video, 6, 40)
    here, there = tmp_path / "here" / "results.jsonl", tmp_path / "there" / "results.jsonl"
    assert maskflow(*_arguments(videos, here)).code == 0
    with _cluster(2) as cluster:
        process = start(*_arguments(videos, there, "--cluster", cluster.address))
        assert process.stderr is not None
        seen = [process.stderr.readline()]
        while "Completed" not in seen[-1]:
            seen.append(process.stderr.readline())
            assert seen[-1], "".join(seen)
        for worker in spawned_by(cluster.nanny):  # their nannies start others
            worker.kill()
        done = finish(process)
        assert done.code == 0, "".join(seen) + done.err
        assert there.read_bytes() == here.read_bytes()
        lines = "".join(seen) + done.err
        assert f"[{socket.gethostname()} CPU] Processing" in lines
        assert not _device_workers(cluster.nanny)


@pytest.mark.parametrize("how", ["cancel", "kill"])
def test_a_run_that_ends_early_leaves_no_device_worker(how: str, tmp_path: Path, make_video: MakeVideo) -> None:
    videos = _list(tmp_path, make_video, 2, 1500)
    with _cluster(1) as cluster:
        process = start(*_arguments(videos, tmp_path / "out" / "results.jsonl", "--cluster", cluster.address))
        assert process.stderr is not None
        lines = ""
        while "Processing" not in lines:
            lines += process.stderr.readline()
        wait_until(lambda: _device_workers(cluster.nanny), "a device worker")
        if how == "kill":
            process.kill()
        else:
            cancelled = re.search(r"`PREFECT_API_URL=(\S+) prefect flow-run cancel (\S+)`", lines)
            assert cancelled is not None
            subprocess.run(
                [sys.executable, "-m", "prefect", "flow-run", "cancel", cancelled[2]],
                env={**os.environ, "PREFECT_API_URL": cancelled[1]},
                check=True,
                capture_output=True,
            )
        wait_until(lambda: not _device_workers(cluster.nanny), "the device workers to end")
        done = finish(process)
        assert done.code == (-signal.SIGKILL if how == "kill" else 130), done.err


def test_a_scheduler_that_dies_costs_what_it_had_not_made(tmp_path: Path, make_video: MakeVideo) -> None:
    videos = _list(tmp_path, make_video, 4, 60)
    results = tmp_path / "out" / "results.jsonl"
    with _cluster(1) as cluster:
        process = start(*_arguments(videos, results, "--cluster", cluster.address))
        assert process.stderr is not None
        lines = ""
        while lines.count("Completed") < 2:  # of the first one the flow has heard by then
            lines += process.stderr.readline()
        cluster.scheduler.kill()
        done = finish(process)
    assert done.code == 1, lines + done.err
    assert "the cluster's scheduler is gone" in done.out
    assert "Traceback" not in done.err
    assert 1 <= len(results.read_text().splitlines()) < 4
    assert maskflow(*_arguments(videos, results)).code == 0
    assert len(results.read_text().splitlines()) == 4


def _refused(done: Done) -> str:
    return " ".join(done.err.split()[done.err.split().index("maskflow:") :])


def test_workers_that_cannot_take_part_say_why(tmp_path: Path, make_video: MakeVideo) -> None:
    videos = _list(tmp_path, make_video, 1, 4)
    with _cluster(1, daemon=True) as cluster:
        done = maskflow(*_arguments(videos, tmp_path / "out" / "results.jsonl", "--cluster", cluster.address))
    assert done.code == 2
    assert "takes no part in this run: its worker may not start processes" in _refused(done)
    assert "DASK_DISTRIBUTED__WORKER__DAEMON=False dask worker" in _refused(done)
    assert "Traceback" not in done.err


def test_hosts_need_no_files_in_common_but_a_bucket(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make_case("track-videos", tmp_path / "inputs")
    upload(tmp_path / "inputs", f"{bucket}/inputs")
    other_machine(tmp_path / "flow", monkeypatch)
    arguments = [one.replace(str(tmp_path / "inputs"), f"{bucket}/inputs") for one in case.arguments[:-2]]
    host = tmp_path / "host"
    with _cluster(1, XDG_CACHE_HOME=str(host), MASKFLOW_FETCH_CACHE=str(host / "fetched")) as cluster:
        done = maskflow(
            *arguments, *case.output(Path(f"{bucket}/out".replace("//", "/"))), "--cluster", cluster.address
        )
    assert done.code == 0, done.err
    assert len(list(host.glob("maskflow/outputs/out-*/.maskflow/track_video/*/manifest.json"))) == 4
    assert len(list(host.glob("fetched/objects/*"))) == 4
    is_as_local(case, tmp_path / "inputs", f"{bucket}/inputs", f"{bucket}/out", tmp_path)
