"""SLURM jobs as a run's cluster, each one Dask worker. What a job asks for stands in Dask's own `jobqueue.yaml`."""

import dask
from dask_jobqueue import SLURMCluster

from core.errors import RefusedInput
from tasks.crews.node import NO_DAEMON


def slurm_cluster(jobs: int) -> SLURMCluster:
    """Ask for so many jobs; items start as soon as the first one runs. A context manager: leaving it ends the jobs.

    Raises:
        RefusedInput: `jobqueue.yaml` is missing or incomplete.
    """
    # SLURM gives each job devices and cores of its own: slot locks are each job's own, too.
    prologue = [f"export {NO_DAEMON}", "export TMPDIR=/tmp/maskflow-$SLURM_JOB_ID", 'mkdir -p "$TMPDIR"']
    prologue.append('export MASKFLOW_SLOT_LOCKS="$TMPDIR/locks"')
    prologue += dask.config.get("jobqueue.slurm.job-script-prologue", None) or []
    try:
        cluster = SLURMCluster(
            processes=1, job_script_prologue=prologue, scheduler_options={"dashboard": False, "dashboard_address": None}
        )  # fmt: skip
    except ValueError as error:
        example = "deployments/slurm/jobqueue.yaml, to be copied to ~/.config/dask/, shows how"
        raise RefusedInput(f"SLURM jobs cannot be described: {str(error).splitlines()[0]}; {example}") from None
    cluster.scale(jobs=jobs)
    return cluster
