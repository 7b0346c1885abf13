"""What `--cluster` names: a Dask scheduler that is up, or SLURM jobs to start."""

import re
import shutil
import socket
import subprocess
from dataclasses import dataclass

from core.errors import RefusedInput

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
        asked = subprocess.run(["sinfo", "--noheader"], capture_output=True, text=True, timeout=30, check=False)  # noqa: S607
        trouble = asked.stderr.strip() if asked.returncode else ""
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
