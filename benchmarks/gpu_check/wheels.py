"""Wheels that a machine without network lacks for the GPU check: downloaded here, to be carried there.

    python -m benchmarks.gpu_check.wheels wheels/ --python 3.12 --there there.txt

`there.txt` is what `python -m pip freeze` prints there; what it names is left out. torch, torchvision and NVIDIA's
libraries are never carried: they have to be there. Where little may be carried, the checks of models alone run with

    python -m benchmarks.gpu_check.wheels wheels/ --there there.txt --roots sam2 av pydantic timm scipy psutil
"""

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_NEVER = re.compile(r"^(torch|torchvision|triton|nvidia-.*|cuda-.*)$")
_AT_ONCE = 8
_PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (39, 35, 34, 31, 28, 27, 24, 17)]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for the wheels")
    parser.add_argument("--python", default="3.12", help="version of Python there")
    parser.add_argument("--there", type=Path, help="what is installed there")
    parser.add_argument("--roots", nargs="+", default=["maskflow"], help="what has to run there, with all it needs")
    parser.add_argument("--without", nargs="*", default=[], help="packages that are not wanted, as rerun-sdk")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    there = {_name(line) for line in given.there.read_text().splitlines()} if given.there else set()
    left_out = there | {_name(one) for one in given.without}
    wanted = {name: pin for root in given.roots for name, pin in needed(root).items() if not _NEVER.match(name)}
    missing = [pin for name, pin in sorted(wanted.items()) if name not in left_out]
    pip = [sys.executable, "-m", "pip"]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        done = pool.map(lambda pin: _fetched(pip, pin, given.python, given.folder), missing)
        failed = [pin for pin, fetched in zip(missing, done, strict=True) if not fetched]
    for pin in failed:  # no wheel is published, as of sam2: made here, where it is pure Python
        environment = {**os.environ, "SAM2_BUILD_CUDA": "0"}
        build = [*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(given.folder), pin]
        subprocess.run(build, check=True, env=environment)
    size = sum(path.stat().st_size for path in given.folder.glob("*.whl"))
    print(f"{given.folder}: {len(list(given.folder.glob('*.whl')))} wheels, {size / 2**20:.0f} MiB")


def needed(package: str) -> dict[str, str]:
    """`name==version` by name of an installed package and all it needs at run time, as installed here.

    The project itself is left out: it is carried as it is.
    """
    found: dict[str, str] = (
        {} if package == "maskflow" else {canonicalize_name(package): f"{package}=={version(package)}"}
    )
    left = [package]
    while left:
        for line in requires(left.pop()) or []:
            requirement = Requirement(line)
            name = canonicalize_name(requirement.name)
            if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
                continue
            try:
                found[name] = f"{name}=={version(name)}"
            except PackageNotFoundError:  # needed on other machines only
                continue
            left.append(name)
    return found


def _fetched(pip: list[str], pin: str, python: str, folder: Path) -> bool:
    platforms = [part for name in _PLATFORMS for part in ("--platform", name)]
    command = [*pip, "download", "--quiet", "--no-deps", "--only-binary=:all:", "--python-version", python]
    return subprocess.run([*command, *platforms, "--dest", str(folder), pin], capture_output=True).returncode == 0


def _name(requirement: str) -> str:
    return canonicalize_name(re.split(r"[ =<>!;\[@]", requirement.strip(), maxsplit=1)[0])


if __name__ == "__main__":
    main()
