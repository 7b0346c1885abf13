"""What `--cluster` may be."""

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RefusedInput
from tasks.devices.timeouts import Timeouts
from tasks.placement import Cluster, choose_placement, find_cluster


def test_a_scheduler_that_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as scheduler:
        address = f"tcp://127.0.0.1:{scheduler.getsockname()[1]}"
        assert find_cluster(address) == Cluster(address)
    with pytest.raises(RefusedInput, match=r"cluster = .*a Dask scheduler that answers \(.*refused"):
        find_cluster(address)


def test_slurm_with_and_without_a_number_of_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for tool, answer in (("sbatch", "exit 0"), ("sinfo", "exit 0")):
        (tmp_path / tool).write_text(f"#!/bin/sh\n{answer}\n")
        (tmp_path / tool).chmod(0o755)
    assert find_cluster("slurm") == Cluster(None, 4)
    assert find_cluster("slurm:12") == Cluster(None, 12)
    (tmp_path / "sinfo").write_text("#!/bin/sh\necho 'slurm: fatal: no controller' >&2; exit 1\n")
    with pytest.raises(RefusedInput, match="SLURM that answers: slurm: fatal: no controller"):
        find_cluster("slurm")
    (tmp_path / "sbatch").unlink()
    with pytest.raises(RefusedInput, match="no sbatch"):
        find_cluster("slurm")


@given(st.text(max_size=20).filter(lambda text: not text.startswith(("slurm", "tcp://", "tls://"))))
def test_anything_else_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(RefusedInput, match="tcp://HOST:PORT"):
        find_cluster(text)


@pytest.mark.parametrize(
    "text", ["slurm:0", "slurm:-1", "slurm:x", "tcp://", "tcp://host", "tcp://host:99999", "host:1"]
)
def test_nearly_right_is_refused(text: str) -> None:
    with pytest.raises(RefusedInput, match="tcp://HOST:PORT"):
        find_cluster(text)


def test_the_gpus_of_a_cluster_are_not_looked_for_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.devices.slots.usable_gpus", list)
    with pytest.raises(RefusedInput, match="gpu_ids"):
        choose_placement([0, 1], None, None, Timeouts())
    with socket.create_server(("127.0.0.1", 0)) as scheduler:
        devices = choose_placement([0, 1], None, f"tcp://127.0.0.1:{scheduler.getsockname()[1]}", Timeouts())
    with pytest.raises(RefusedInput, match="gpu_ids"):  # on a host that lacks them
        devices.slots()
