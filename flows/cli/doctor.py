"""`maskflow doctor`: what works on this machine, and what to do for the rest."""

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import av
import httpx
import psutil
from rich.text import Text

from core.errors import MaskflowError
from core.models.options import ModelOptions
from core.models.registry import DETECTORS, GENERATORS, POINT_TRACKERS, RECONSTRUCTORS, SEGMENTERS
from core.models.role import Role
from flows.cli.console import open_console
from tasks.devices.gpus import usable_gpus
from tasks.server.address import check_server, configured_url, is_healthy, prefect_home

State = Literal["works", "limited", "fails"]
_STYLES = {"works": "green", "limited": "yellow", "fails": "red"}
_GIB = 2**30
_LEAST_DISK_GIB, _LEAST_MEMORY_GIB = 10, 4
_DECODERS = ("h264", "hevc", "vp9", "av1", "mpeg4", "mjpeg", "prores")
_ENCODER = "libx264"  # of annotated videos


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what was found, and what to do where it does not work in full."""

    what: str
    state: State
    found: str
    remedy: str = ""


def doctor() -> int:
    """Check what works on this machine, and what to do for the rest; exit code 1 where something does not work."""
    findings = [finding for check in (_machine, _gpus, _models, _codecs, _server) for finding in _kept(check)]
    console = open_console()
    for one in findings:
        line = Text(f"{one.state:7} ", _STYLES[one.state]).append(f"{one.what}: {one.found}", "default")
        console.print(line, soft_wrap=True)
        if one.remedy:
            console.print(f"        → {one.remedy}", style="dim", soft_wrap=True)
    return 1 if any(one.state == "fails" for one in findings) else 0


def _kept(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What a check found; what made it end early is a finding, too."""
    try:
        yield from check()
    except (MaskflowError, httpx.InvalidURL) as error:
        yield Finding(check.__name__.lstrip("_"), "fails", str(error))


def _machine() -> Iterator[Finding]:
    cores, memory = os.cpu_count() or 1, psutil.virtual_memory().available / _GIB
    enough = memory >= _LEAST_MEMORY_GIB
    yield Finding(
        "machine",
        "works" if enough else "limited",
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {cores} cores, "
        f"{memory:.0f} GiB of memory free",
        "" if enough else "close other programs, or give --num-workers 1",
    )
    for what, folder in (("disk here", Path.cwd()), ("Prefect's disk", prefect_home())):
        yield _disk(what, folder)


def _disk(what: str, folder: Path) -> Finding:
    there = next(place for place in (folder, *folder.parents) if place.is_dir())
    free = shutil.disk_usage(there).free / _GIB
    if not os.access(there, os.W_OK):
        return Finding(what, "fails", f"{folder} cannot be written", "work in a folder of your own")
    enough = free >= _LEAST_DISK_GIB
    return Finding(
        what,
        "works" if enough else "limited",
        f"{free:.0f} GiB free at {folder}",
        "" if enough else "`maskflow cache prune OUTPUT --older-than 30d` removes what old runs keep",
    )


def _gpus() -> Iterator[Finding]:
    gpus = usable_gpus()
    if not gpus:
        yield Finding("GPU", "limited", "none: models run on the CPU", "expect seconds a frame of SAM 2 and SAM 3")
        return
    import torch  # loads for seconds: only where there is a GPU to test

    works = torch.cuda.is_available() or torch.backends.mps.is_available()
    yield Finding(
        "GPU",
        "works" if works else "fails",
        ", ".join(f"{gpu.kind} {gpu}" + (f", {gpu.free_mib:,} MiB free" if gpu.free_mib else "") for gpu in gpus),
        "" if works else f"this torch ({torch.__version__}) cannot use it: install the build for its driver",
    )


def _models() -> Iterator[Finding]:
    roles: tuple[Role[Any], ...] = (DETECTORS, SEGMENTERS, GENERATORS, RECONSTRUCTORS, POINT_TRACKERS)
    options = ModelOptions()
    for role in roles:
        chosen, best = role.choose("auto", options), role.backends[0]
        yield Finding(
            role.name,
            "works" if chosen is best else "limited",
            f"auto takes {chosen.name}",
            "" if chosen is best else f"{best.name}: {best.missing(options)}",
        )


def _codecs() -> Iterator[Finding]:
    missing = [name for name in _DECODERS if name not in av.codecs_available]
    yield Finding(
        "videos",
        "limited" if missing else "works",
        f"reads {', '.join(name for name in _DECODERS if name not in missing)}",
        f"no decoder of {', '.join(missing)}: convert such videos to H.264 first" if missing else "",
    )
    writes = _ENCODER in av.codecs_available
    remedy = "" if writes else "install the wheel of PyAV: `pip install --force-reinstall --only-binary av av`"
    yield Finding("annotated videos", "works" if writes else "fails", f"{_ENCODER} of PyAV {av.__version__}", remedy)


def _server() -> Iterator[Finding]:
    url = configured_url()
    if url is None:
        yield Finding(
            "Prefect", "works", "each run starts a server of its own", "`maskflow serve` gives one that lasts"
        )
        return
    address = httpx.URL(url).copy_with(userinfo=b"")
    if not is_healthy(url):
        yield Finding("Prefect", "fails", f"{address} does not answer", "start it, or unset PREFECT_API_URL")
        return
    check_server(url)
    yield Finding("Prefect", "works", f"the server at {address}")
