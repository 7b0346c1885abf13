"""Check every claim about GPUs on this machine's first GPU, in about eight minutes.

    python -m benchmarks.gpu_check                  # writes gpu_check.md and gpu_check.json
    python -m benchmarks.gpu_check --dry            # the same code on the CPU, on small models: does it run?
    python -m benchmarks.gpu_check --only sam2_speed overlap

Nothing is downloaded. On a machine without network carry along what it lacks:

    python -m benchmarks.gpu_check.wheels wheels/ --python 3.12 --there there.txt   # here
    python -m pip install --no-index --no-deps --target site wheels/*.whl           # there, then PYTHONPATH=site

No check begins for which too little time is left. It, and what needs a package that is missing, is listed as not run.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import torch

from benchmarks.gpu_check.report import Check, Row, Setting, write

_LIMIT_S = 480


def _late(module: str, name: str) -> Callable[[Setting], Iterator[Row]]:
    """A check whose module is imported when it is run: what is not installed there costs that check alone."""
    return lambda setting: getattr(import_module(f"benchmarks.gpu_check.{module}"), name)(setting)


CHECKS = (
    Check("ids", _late("memory_checks", "ids"), 5, only_on_gpu=True),
    Check("sam2_speed", _late("sam2_checks", "sam2_speed"), 100),
    Check("overlap", _late("sam2_checks", "overlap"), 25),
    Check("out_of_memory", _late("memory_checks", "out_of_memory"), 30, only_on_gpu=True),
    Check("killed_worker", _late("memory_checks", "killed_worker"), 45),
    Check("two_slots", _late("memory_checks", "two_slots"), 60),
    Check("end_to_end", _late("run_checks", "end_to_end"), 70),
    Check("sam3", _late("library_checks", "sam3"), 60),
    Check("grounding_dino", _late("library_checks", "grounding_dino"), 30),
    Check("sam2_compiled", _late("sam2_checks", "sam2_compiled"), 120),
)


def main() -> int:
    """See the module. Exit code 1 where a claim does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry", action="store_true", help="on the CPU, on small models")
    parser.add_argument("--only", nargs="+", choices=[check.name for check in CHECKS], help="these checks")
    parser.add_argument("--output", type=Path, default=Path("gpu_check"), help="folder for the table")
    parser.add_argument("--limit-s", type=float, default=_LIMIT_S, help=f"seconds for all ({_LIMIT_S})")
    given = parser.parse_args()
    if not given.dry and not torch.cuda.is_available():
        sys.exit("torch sees no GPU here: --dry tries the checks on the CPU")
    os.environ["TQDM_DISABLE"] = "1"  # the package draws a bar for each video
    given.output.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[str, Row]] = []
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for check in CHECKS:
            if given.only is not None and check.name not in given.only:
                continue
            left_s = given.limit_s - (time.monotonic() - started_s)
            setting = Setting(not given.dry, Path(folder) / check.name)
            for row in _rows(check, setting, left_s):
                rows.append((check.name, row))
                print(f"{check.name}: {row.what}: {row.found} {row.wanted} [{row.verdict}]", flush=True)
            write(given.output, _machine(given.dry), rows)
    print(f"{write(given.output, _machine(given.dry), rows)}, {time.monotonic() - started_s:.0f} s")
    return 1 if any(row.verdict == "not as wanted" for _, row in rows) else 0


def _rows(check: Check, setting: Setting, left_s: float) -> Iterator[Row]:
    """What a check finds; where it fails, why."""
    if check.only_on_gpu and not setting.on_gpu:
        yield Row("", "needs a GPU", verdict="not run")
        return
    if setting.on_gpu and left_s < check.seconds:
        yield Row("", f"takes about {check.seconds} s, {max(0, left_s):.0f} s were left", verdict="not run")
        return
    setting.folder.mkdir()
    started_s = time.monotonic()
    try:
        yield from check.run(setting)
    except ModuleNotFoundError as error:
        yield Row("", f"needs the package {error.name}", verdict="not run")
    except Exception as error:  # noqa: BLE001 - one check that fails must not cost the others
        yield Row("", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", verdict="not as wanted")
    finally:
        torch.cuda.empty_cache()
    yield Row("took", f"{time.monotonic() - started_s:.0f} s")


def _machine(dry: bool) -> str:
    where = "Dry run on the CPU" if dry else torch.cuda.get_device_name(0)
    return f"{where}; torch {torch.__version__}, Python {platform.python_version()}, {platform.system()}"


if __name__ == "__main__":
    sys.exit(main())
