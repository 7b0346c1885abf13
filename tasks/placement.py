"""Which hosts and which devices a run's items may use: chosen once, made into slots on every host that takes part."""

import re
import shutil
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import RefusedInput
from tasks.devices.slots import Slot, cpu_slots, plan_slots
from tasks.devices.timeouts import Timeouts

CLUSTER = "cluster"
"""The device of a slot on a cluster, where the hosts' own are not known."""
_ANSWERS_WITHIN_S = 5.0
_USUAL_JOBS = 4
_ACCEPTED = "tcp://HOST:PORT of a Dask scheduler (tls:// with Dask's own certificates), slurm, or slurm:JOBS"


@dataclass(frozen=True)
class Cluster:
    """A scheduler's address, or, where there is none, the most SLURM jobs to start."""

    address: str | None
    slurm_jobs: int = 0


def _check_slurm(text: str) -> None:
    if shutil.which("sbatch") is None:
        raise RefusedInput.of("cluster", text, "SLURM, and there is no sbatch on this host")
    try:
        answer = subprocess.run(["sinfo", "--noheader"], capture_output=True, text=True, timeout=30, check=False)  # noqa: S607
        trouble = answer.stderr.strip() if answer.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        trouble = str(error)
    if trouble:
        raise RefusedInput.of("cluster", text, f"SLURM that answers: {trouble.splitlines()[-1]}")


def find_cluster(text: str) -> Cluster:
    """Understand `--cluster`, and make sure that a scheduler answers. Raises `RefusedInput`."""
    slurm = re.fullmatch(r"slurm(?::([1-9]\d{0,3}))?", text)
    if slurm is not None:
        _check_slurm(text)
        return Cluster(None, int(slurm[1] or _USUAL_JOBS))
    parts = re.fullmatch(r"(?:tcp|tls)://(\[[0-9A-Fa-f:]+\]|[\w.-]+):(\d{1,5})", text)
    if parts is None or int(parts[2]) > 65535:
        raise RefusedInput.of("cluster", text, _ACCEPTED)
    try:
        socket.create_connection((parts[1].strip("[]"), int(parts[2])), _ANSWERS_WITHIN_S).close()
    except OSError as error:
        reason = f"a Dask scheduler that answers ({error.strerror or error}); `dask scheduler` starts one"
        raise RefusedInput.of("cluster", text, reason) from None
    return Cluster(text)


@dataclass(frozen=True)
class Placement:
    """Make it with `choose_placement`.

    Attributes:
        gpu_ids: of each host, repeats weight; None: all that are there.
        num_workers: slots on each host; None: one for each of `gpu_ids`, on the CPU one per core.
        uses_gpu: whether the work can use a GPU at all.
        per_gpu: how often each of `gpu_ids` counts.
        cluster: where else than on this host the items go.
        timeouts: how long an item may take.
    """

    gpu_ids: tuple[int, ...] | None
    num_workers: int | None
    uses_gpu: bool
    per_gpu: int
    cluster: Cluster | None
    timeouts: Timeouts

    def slots(self) -> list[Slot]:
        """Those of the host this is called on. Raises `RefusedInput` for a GPU that it does not have."""
        if not self.uses_gpu:
            return cpu_slots(self.num_workers)
        return plan_slots(self.gpu_ids, self.num_workers, self.per_gpu)


def choose_placement(
    gpu_ids: Sequence[int] | None,
    num_workers: int | None,
    cluster: str | None,
    timeouts: Timeouts,
    uses_gpu: bool = True,
    per_gpu: int = 1,
) -> Placement:
    """Check the user's choice, as far as this host can.

    Raises:
        RefusedInput: this host has no such GPU (a cluster's hosts are checked when they join); no such cluster.
    """
    if gpu_ids is not None and not gpu_ids:
        raise RefusedInput.of("gpu_ids", [], "one GPU or more; leave it out to use all there are")
    given = None if gpu_ids is None else tuple(gpu_ids)
    there = None if cluster is None else find_cluster(cluster)
    devices = Placement(given, num_workers, uses_gpu, per_gpu, there, timeouts)
    if there is None:
        devices.slots()
    return devices
