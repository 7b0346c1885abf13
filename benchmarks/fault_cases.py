"""Every case of `shared/data/faults` through the command line, as its user runs it, and a table of what came.

    python -m benchmarks.fault_cases [video|formats] [ID ...]

A case passes where the result is what the case expects, see `fault_judges_video` and `fault_judges_formats`.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from rich.table import Table
from rich.text import Text

from benchmarks import fault_judges_formats, fault_judges_video
from benchmarks.common import need_data
from benchmarks.fault_run import Ran, run
from flows.cli.console import open_console
from tasks.server.temporary import ensure_server

_AREAS = {"video": fault_judges_video.JUDGES, "formats": fault_judges_formats.JUDGES}


def main(words: list[str]) -> int:
    """Run the cases; the exit code says whether all passed."""
    source = need_data() / "faults"
    home = tempfile.mkdtemp(prefix="maskflow-faults-")
    os.environ.update(PREFECT_HOME=home, MASKFLOW_SLOT_LOCKS=f"{home}/locks")
    ensure_server()  # one for all
    areas = [word for word in words if word in _AREAS] or list(_AREAS)
    wanted = [word for word in words if word not in _AREAS]
    table, failed = Table("case", "exit", "s", "result", "expected"), 0
    for area in areas:
        for line in (source / area / "cases.jsonl").read_text().splitlines():
            case = json.loads(line)
            judge = _AREAS[area].get(case["id"])
            if judge is None or (wanted and case["id"] not in wanted):
                continue
            case["command"] = fault_judges_formats.COMMANDS.get(case["id"], case["command"])
            with tempfile.TemporaryDirectory() as work:
                ran = run(case, source / area, Path(work))
                try:
                    passed = judge(ran)
                except (KeyError, IndexError, TypeError, ValueError, OSError) as error:
                    passed, ran = False, Ran(ran.code, f"{ran.text}\n{error!r}", ran.out, ran.seconds)
                if wanted:
                    print(
                        ran.text, *(f"{p}: {p.read_text()[:1500]}" for p in sorted(ran.out.rglob("*.json*"))), sep="\n"
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
