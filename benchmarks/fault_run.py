"""One case of `shared/data/faults` through the command line, as its user runs it."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LONGEST_S = 120
_MASKFLOW = f"{shlex.quote(sys.executable)} -m flows.cli"


@dataclass(frozen=True)
class Ran:
    """A command that has ended: its exit code (None: it had to be killed), what it printed, its output folder."""

    code: int | None
    text: str
    out: Path
    seconds: float

    def results(self, name: str = "results.jsonl") -> list[dict[str, Any]]:
        """The lines of a results file; none where there is no such file."""
        path = self.out / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []

    @property
    def video(self) -> dict[str, Any]:
        """The first line of `results.jsonl`."""
        return (self.results() or [{}])[0]

    @property
    def frames(self) -> list[dict[str, Any]]:
        """Frames of the first video."""
        found: list[dict[str, Any]] = self.video.get("frames", [])
        return found


def _fake_nvidia_smi(folder: Path) -> dict[str, str]:
    tool = folder / "nvidia-smi"
    tool.write_text("#!/bin/sh\nprintf '0\\n1\\n'\n")
    tool.chmod(0o755)
    given = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
    return {"PATH": f"{folder}:{os.environ['PATH']}", "CUDA_VISIBLE_DEVICES": given}


def run(case: dict[str, Any], source: Path, work: Path) -> Ran:
    """Run a case's command in a copy of its inputs (`source`) below `work`; `OUT` in it is the output folder."""
    folder, out = work / "in", work / "out"
    shutil.copytree(source, folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    command, environment = case["command"], dict(os.environ, COLUMNS="200")
    if case["id"] == "gray16":
        box = {"gray16": [{"box": [6, 46, 34, 74]}]}
        (folder / "box.json").write_text(json.dumps(box))
        (folder / "list_gray16.txt").write_text("gray16\n")
        command = (
            "maskflow track-videos --video-list list_gray16.txt --prompts box.json --output-jsonl OUT/results.jsonl"
        )
    if case["id"] == "gpu-uuid":
        environment |= _fake_nvidia_smi(work)
        command = "maskflow devices"
    command = command.replace("OUT", shlex.quote(str(out))).replace("maskflow ", f"{_MASKFLOW} ")
    project = str(Path(__file__).parent.parent)
    environment["PYTHONPATH"] = project
    started_s = time.monotonic()
    with subprocess.Popen(
        command, shell=True, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            text, _ = process.communicate(timeout=_LONGEST_S)
            code: int | None = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            text, code = process.communicate()[0], None
    return Ran(code, text, out, time.monotonic() - started_s)
