"""What holds for the code as a whole: who may import whom, what stays light, how large a module may be."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {"torch", "sam2", "transformers", "pycolmap", "rerun"}
MODULES = sorted(path for name in ("core", "tasks", "flows") for path in (ROOT / name).rglob("*.py"))


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    forbidden = {"core": {"tasks", "flows", "prefect"}, "tasks": {"flows"}, "flows": set()}
    assert not _imports(path) & forbidden[path.relative_to(ROOT).parts[0]]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_stay_small(path: Path) -> None:
    assert path.stat().st_size < 20_000


def _loads(statement: str) -> set[str]:
    script = f"import sys\n{statement}\nprint(*sorted(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


def test_pycolmap_is_imported_in_one_place() -> None:
    """After OpenCV: the other way round, writing a PNG aborts the process."""
    assert [path.relative_to(ROOT).as_posix() for path in MODULES if "pycolmap" in _imports(path)] == [
        "core/geometry/colmap.py"
    ]


def test_flows_load_no_heavy_package() -> None:
    assert not _loads("import flows, flows.track_videos, flows.commands") & HEAVY


def test_the_command_line_and_the_workers_do_not_load_prefect() -> None:
    assert not _loads("import flows.cli") & (HEAVY | {"prefect", "cv2", "numpy"})
    assert "prefect" not in _loads(
        "import tasks.devices.worker, core.tracking.video_item, core.tracking.render_item\n"
        "import core.refining.chunk_item, core.refining.report_item\n"
        "from core.models.registry import load_detector, load_segmenter\n"
        "from core.models.spec import ModelSpec\n"
        "load_detector(ModelSpec(backend='classical')); load_segmenter(ModelSpec(backend='classical'))"
    )
