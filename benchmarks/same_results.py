"""Whether two versions of the project make the same: each flow on small inputs, and the demo, file by file.

    python -m benchmarks.same_results CHECKOUT [FLOW …]

CHECKOUT is another version, run with this one's packages. Annotated videos, recordings and pages are not compared: they
hold times, or numbers of their own.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.injection_flows import FLOWS, make_case

# Fields that got other names: the same content under the new name is the same.
_RENAMED = {b"borne_out": b"accepted_ratio", b'"looks"': b'"appearance"'}
HERE = Path(__file__).parents[1]
_COMPARED = {".jsonl", ".json", ".npz", ".pth", ".png", ".bin", ".ply", ".txt"}


def _run(checkout: Path, arguments: Sequence[str], folder: Path) -> str:
    """Run a command of a checkout in a folder; what it printed."""
    code = "import sys; from flows.cli.main import main" if (checkout / "flows/cli/main.py").exists() else (
        "import sys; from flows.cli import main"
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; sys.exit(main())", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{checkout}: {arguments[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def _files(folder: Path) -> dict[str, bytes]:
    """What a run delivered, but for what names times or places."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.suffix in _COMPARED and not any(part.startswith(".") for part in name.parts):
            content = path.read_bytes().replace(str(folder).encode(), b"OUT")
            for old, new in _RENAMED.items():
                content = content.replace(old, new)
            found[name.as_posix()] = content
    return found


def _compare(title: str, before: dict[str, bytes], after: dict[str, bytes]) -> int:
    different = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    same = len(before.keys() | after.keys()) - len(different)
    more = f": {', '.join(different)}" if different else ""
    print(f"| {title} | {same} | {len(different)}{more} |", flush=True)
    return len(different)


def main(other: Path, flows: Sequence[str] = FLOWS) -> int:
    """Print a table; the number of files that differ."""
    print("| run | files of the same bytes | others |\n|---|---|---|")
    wrong = 0
    with tempfile.TemporaryDirectory() as place:
        for flow in flows:
            case = make_case(flow, Path(place) / flow)
            made = []
            for name, checkout in (("before", other), ("after", HERE)):
                out = Path(place) / name / flow
                out.mkdir(parents=True)
                _run(checkout, [*case.arguments, *case.output(out)], out)
                made.append(_files(out))
            wrong += _compare(flow, *made)
            kept = Path(place) / "before" / flow
            said = " ".join(_run(HERE, [*case.arguments, *case.output(kept)], kept).split())
            wrong += _compare(f"{flow}, again in the folder of before", made[0], _files(kept))
            print(f"|   says that items are made again | {'made by an earlier version' in said} | |")
        made = []
        for name, checkout in (("before", other), ("after", HERE)):
            folder = Path(place) / name
            if made:  # the demo keeps clips that are there: each version encodes its own otherwise
                shutil.copytree(Path(place) / "before" / "demo" / "clips", folder / "demo" / "clips")
            folder.mkdir(exist_ok=True)
            _run(checkout, ["demo"], folder)
            made.append(_files(folder / "demo"))
        wrong += _compare("demo", *made)
    return wrong


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]).resolve(), sys.argv[2:] or FLOWS))
