"""Every case of `shared/data/faults/video` through the command line, as its user runs it, and a table of what came.

    python -m benchmarks.fault_cases [ID ...]

A case passes where the result is what the case expects, see `_JUDGES`.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from benchmarks.common import need_data
from flows.console import open_console
from tasks.server.temporary import ensure_server

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


def _box(frame: dict[str, Any], obj_id: int | None = None) -> list[float] | None:
    boxes = [one["bbox"] for one in frame.get("objects", []) if obj_id in (None, one["obj_id"])]
    return boxes[0] if boxes else None


def _on(ran: Ran, source_frame: int, obj_id: int | None = None) -> list[float] | None:
    found = [frame for frame in ran.frames if frame["source_frame"] == source_frame]
    return _box(found[0], obj_id) if found else None


def _near(box: list[float] | None, wanted: list[float], off: float = 4) -> bool:
    return box is not None and all(abs(a - b) <= off for a, b in zip(box, wanted, strict=True))


def _done(frames: int, every_s: float | None = None) -> Callable[[Ran], bool]:
    def judge(ran: Ran) -> bool:
        times = [frame["time_s"] for frame in ran.frames]
        right = every_s is None or all(abs(t - every_s * n) < 0.002 for n, t in enumerate(times))
        return ran.code == 0 and len(ran.frames) == frames and times == sorted(set(times)) and right

    return judge


def _dense_centres(ran: Ran) -> dict[int, float]:
    lines = [json.loads(line) for path in ran.out.glob("dense_annotations_*.jsonl") for line in path.open()]
    return {line["frame_number"]: (o["bbox"][0] + o["bbox"][2]) / 2 for line in lines for o in line["objects"][:1]}


_JUDGES: dict[str, Callable[[Ran], bool]] = {
    "brace-hang": lambda ran: ran.code == 0 and len(ran.results()) == 1,
    "cover-first": lambda ran: (
        _done(60, 1 / 30)(ran) and ran.video["video_info"]["width"] == 160 and all(map(_box, ran.frames))
    ),
    "editlist": _done(30, 1 / 30),
    "mkv-segment": _done(15),
    "mkv-late-video": _done(60),
    "avi-skipped": _done(20, 0.1),
    "avi-bframes-fps": lambda ran: (
        _done(20, 0.1)(ran) and [f["source_frame"] for f in ran.frames] == [*range(0, 60, 3)]
    ),
    "avi-bframes-dense": lambda ran: ran.code == 0 and len(_dense_centres(ran)) == 60,
    "avi-bframes-sparse": lambda ran: ran.code == 0 and abs(_dense_centres(ran).get(42, 0) - 105.4) < 1.5,
    "ts-joined": _done(40, 0.1),
    "gray16": lambda ran: ran.code == 0 and len(ran.frames) == 8,
    "float32": lambda ran: ran.code == 0 and len(ran.frames) == 3,
    "gpu-uuid": lambda ran: ran.code == 2 and "GPU-8932f937" in ran.text,
    "prompt-last-fps": lambda ran: ran.code == 0 and _on(ran, 0, 1) is not None and _on(ran, 59, 2) is not None,
    "prompt-shift-fps": lambda ran: ran.code == 0 and _on(ran, 50) is not None,
    "prompt-nothing": lambda ran: (
        "object 1" in ran.text and any("object 1" in p.read_text() for p in ran.out.glob("*.jsonl"))
    ),
    "prompt-twice": lambda ran: ran.code == 0 and _on(ran, 0, 1) is not None,
    "prompt-beyond": lambda ran: ran.code == 0 and _on(ran, 30, 1) is not None and "object 2, frame 600" in ran.text,
    "rle-list": lambda ran: ran.code == 0 and _on(ran, 0) is not None,
    "mirror-h": lambda ran: ran.code == 0 and _near(_on(ran, 0), [118, 14, 23, 23]),
    "one-frame-annotate": lambda ran: ran.code == 0 and len(_dense_centres(ran)) == 1,
    "dangling-link": lambda ran: ran.code == 0 and len(ran.frames) == 3,
    "markup-prompt": lambda ran: "MarkupError" not in ran.text and "[/INST]" in ran.text,
    "fullwidth": lambda ran: "blue cup" in ran.text or ran.code == 0,
    "visor-rate": lambda ran: ran.code == 0 and 10 in _dense_centres(ran),
}


def _fake_nvidia_smi(folder: Path) -> dict[str, str]:
    tool = folder / "nvidia-smi"
    tool.write_text("#!/bin/sh\nprintf '0\\n1\\n'\n")
    tool.chmod(0o755)
    given = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
    return {"PATH": f"{folder}:{os.environ['PATH']}", "CUDA_VISIBLE_DEVICES": given}


def _run(case: dict[str, Any], source: Path, work: Path) -> Ran:
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


def main(wanted: list[str]) -> int:
    """Run the cases; the exit code tells whether all passed."""
    source = need_data() / "faults" / "video"
    home = tempfile.mkdtemp(prefix="maskflow-faults-")
    os.environ.update(PREFECT_HOME=home, MASKFLOW_SLOT_LOCKS=f"{home}/locks")
    ensure_server()  # one for all
    cases = [json.loads(line) for line in (source / "cases.jsonl").read_text().splitlines()]
    table, failed = Table("case", "exit", "s", "result", "expected"), 0
    for case in cases:
        judge = _JUDGES.get(case["id"])
        if judge is None or (wanted and case["id"] not in wanted):
            continue
        with tempfile.TemporaryDirectory() as work:
            ran = _run(case, source, Path(work))
            try:
                passed = judge(ran)
            except (KeyError, IndexError, OSError) as error:
                passed, ran = False, Ran(ran.code, f"{ran.text}\n{error!r}", ran.out, ran.seconds)
            if wanted:
                print(
                    ran.text,
                    {p.name: p.read_text()[:1500] for p in ran.out.glob("*.jsonl")} if ran.out.exists() else "",
                )
        failed += not passed
        result = Text("passes", "green") if passed else Text("FAILS", "red")
        table.add_row(case["id"], str(ran.code), f"{ran.seconds:.0f}", result, Text(case["expected"]))
        print(case["id"], ran.code, f"{ran.seconds:.0f} s", result.plain, flush=True)
    open_console().print(table)
    print(f"{failed} of {table.row_count} fail; server-gone: benchmarks.fault_injection; sam3-long-phrase: the suite")
    return failed


if __name__ == "__main__":
    sys.exit(min(1, main(sys.argv[1:])))
