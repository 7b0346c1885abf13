"""A plan, for people: a table in the terminal and in the Prefect UI, and whether this machine can do it."""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from rich.filesize import decimal

from core.addresses.cache import cache_folder
from core.addresses.mirror import shown
from core.errors import RefusedInput
from core.text import clock
from tasks.devices.gpus import usable_gpus
from tasks.placement import CLUSTER
from tasks.planning import RunPlan, StagePlan
from tasks.reporting.summary import Row, Summary, announce

_MIB = 2**20
_OWN_MIB = 550.0
"""Of the flow's process and a server of this machine."""
_DELIVERED = 2.5
_MANIFEST_BYTES, _PAGES_BYTES = 4096, 10**6
"""What is delivered besides what is kept to go on from: at most one and a half times as much, pages and tables."""


def publish_plan(plan: RunPlan, outputs: Path) -> State[None]:
    """Show a plan; *Failed* with a `RefusedInput` where it cannot fit into memory or on the disk.

    Args:
        plan: of a run.
        outputs: its output folder.
    """
    to_do = sum(stage.items - stage.cached for stage in plan.stages if stage.known)
    cached = sum(stage.cached for stage in plan.stages)
    headline = f"{to_do} items to do, {cached} are there already"
    if to_do:
        headline += f": about {clock(plan.makespan_s)} on {len(plan.devices)} slots"
    needs = list(_needs(plan, outputs))
    title = f"Plan of {plan.flow}"
    columns = ("items", "there", "to do", "seconds each", "work", "time")
    announce(Summary(title, columns, list(map(_row, plan.stages)), needs, headline=headline))
    reasons = list(_reasons(plan, outputs))
    if reasons:
        return Failed(message="; ".join(reasons), data=RefusedInput(f"it cannot fit: {'; '.join(reasons)}"))
    return Completed(name="Planned", message=headline)


def _row(stage: StagePlan) -> Row:
    left = stage.items - stage.cached
    about = "" if stage.known else "about "
    if not left and stage.items:
        return Row(stage.name, "cached", (str(stage.items), str(stage.cached), "0", "", "", ""))
    figures = (
        f"{about}{stage.items}" if stage.items else "",
        str(stage.cached) if stage.known else "",
        f"{about}{left}" if stage.items else "",
        f"{stage.work_s / left:.2f}" if left else "",
        clock(stage.work_s),
        clock(stage.makespan_s),
    )
    return Row(stage.name, "to do", figures)


def memory_mib(plan: RunPlan) -> float:
    """Peak memory on a host: as many workers as there are slots, at most one for each item, and the run itself."""
    workers = ((min(len(plan.devices), max(1, one.items - one.cached)), one.host_mib) for one in plan.stages)
    return _OWN_MIB + max((count * each for count, each in workers), default=0.0)


def disk_bytes(plan: RunPlan) -> float:
    """What the output folder grows by, at most."""
    items = sum(stage.items - stage.cached for stage in plan.stages)
    return _DELIVERED * plan.output_bytes + items * _MANIFEST_BYTES + (_PAGES_BYTES if items else 0)


def _needs(plan: RunPlan, outputs: Path) -> Iterator[tuple[str, str]]:
    yield "Memory", f"about {memory_mib(plan):.0f} MiB at the peak, of {_free_mib():.0f} MiB that are free"
    gpu_mib = max((one.gpu_mib for one in plan.stages if one.gpu_mib is not None), default=None)
    if gpu_mib is not None:
        yield "GPU memory", f"about {gpu_mib:.0f} MiB for each slot"
    free = decimal(shutil.disk_usage(outputs).free)
    yield "Disk", f"at most {decimal(round(disk_bytes(plan)))} below {shown(outputs)}, of {free} that are free here"
    if plan.fetch_bytes:
        yield "To fetch", decimal(plan.fetch_bytes)
    if not all(one.measured for one in plan.stages):
        yield "Estimates", "from where we measured: this machine has not done such items yet"


def _free_mib() -> float:
    return psutil.virtual_memory().available / _MIB


def _free_bytes(folder: Path) -> int:
    """On the disk of a folder that may have to be made yet."""
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    return shutil.disk_usage(there).free


def _reasons(plan: RunPlan, outputs: Path) -> Iterator[str]:
    """Why it cannot be done."""
    if disk_bytes(plan) > (free := shutil.disk_usage(outputs).free):
        yield f"{decimal(round(disk_bytes(plan)))} are needed below {outputs}, and {decimal(free)} are free"
    folder, free = cache_folder(), _free_bytes(cache_folder())
    if plan.fetch_bytes > free:
        yield f"{decimal(plan.fetch_bytes)} are to be fetched into {folder}, and {decimal(free)} are free there"
    if CLUSTER not in plan.devices and memory_mib(plan) > _free_mib():
        yield f"{memory_mib(plan):.0f} MiB of memory are needed, and {_free_mib():.0f} are free: fewer num_workers"
    gpu_mib = max((one.gpu_mib for one in plan.stages if one.gpu_mib is not None), default=0.0)
    sharing = Counter(plan.devices)
    for gpu in usable_gpus() if gpu_mib else ():
        slots = sharing[gpu.uuid or f"gpu-{gpu.index}"]
        if gpu.free_mib is not None and slots * gpu_mib > gpu.free_mib:
            yield f"{slots} slots on GPU {gpu.index} need {slots * gpu_mib:.0f} MiB, and {gpu.free_mib} are free"
