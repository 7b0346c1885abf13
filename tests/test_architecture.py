"""What holds for the code as a whole: who may import whom, what stays light, how large a module may be."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEAVY = {"torch", "sam2", "transformers", "pycolmap", "rerun"}
MODULES = sorted(path for name in ("core", "tasks", "flows", "maskflow") for path in (ROOT / name).rglob("*.py"))

# Lowest first: a folder (or module) imports those above it in this list, never those below.
ORDER = [
    "core/errors", "core/text", "core/validation", "core/memory", "core/progress", "core/imports", "core/item",
    "core/geometry", "core/store", "core/addresses", "core/video", "core/weights", "core/masks",
    "core/prompts", "core/rgbd", "core/report", "core/formats", "core/models", "core/quality",
    "core/tracking", "core/corrections", "core/points", "core/reconstruction", "core/evaluation", "core/long_video",
    "core/refining",
    "tasks/server", "tasks/cancellation", "tasks/store", "tasks/items", "tasks/estimates", "tasks/reporting",
    "tasks/preparing", "tasks/devices",
    "tasks/placement", "tasks/planning", "tasks/plan_table", "tasks/ending",
    "tasks/elsewhere", "tasks/inputs", "tasks/making", "tasks/batches", "tasks/crews", "tasks/stage_run",
    "tasks/running",
    "flows/options", "flows/checking", "flows/correcting", "flows/track_videos", "flows/annotate_long_video",
    "flows/refine_masks",
    "flows/reconstruct_windows", "flows/track_mask_points", "flows/label", "flows/cli",
    "maskflow/results", "maskflow/running", "maskflow",
]  # fmt: skip
FLOWS = {"track_videos", "annotate_long_video", "refine_masks", "reconstruct_windows", "track_mask_points"}


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


NAMES = {_module(path) for path in MODULES}


@cache
def _imported(path: Path) -> frozenset[str]:
    """The modules a file imports, wherever in it; of this project each by its full name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (modules & NAMES) or {node.module}
    return frozenset(found)


def _packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in _imported(path)}


def _folder(module: str) -> str:
    return "/".join(module.split(".")[:2])


def test_every_folder_has_a_place_in_the_order() -> None:
    folders = {_folder(_module(path)) for path in MODULES}
    assert {folder for folder in folders if "/" in folder or folder == "maskflow"} == set(ORDER)


def test_imports_run_upward_in_the_order() -> None:
    wrong = []
    for path in MODULES:
        own = _folder(_module(path))
        for name in _imported(path) & NAMES:
            used = _folder(name)
            if used in ORDER and used != own and ORDER.index(used) > ORDER.index(own):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


def test_the_packages_import_one_way_and_only_what_is_installed_with_them() -> None:
    not_installed = {"benchmarks", "tests", "conftest"}
    above = {"core": {"tasks", "flows", "maskflow", "prefect"}, "tasks": {"flows", "maskflow"}, "flows": {"maskflow"}}
    forbidden = {**above, "maskflow": set[str]()}
    for path in MODULES:
        assert not _packages(path) & (forbidden[path.relative_to(ROOT).parts[0]] | not_installed), path


def test_flows_do_not_import_each_other() -> None:
    for name in FLOWS:
        for path in (ROOT / "flows" / name).rglob("*.py"):
            used = {one.split(".")[1] for one in _imported(path) if one.startswith("flows.")}
            assert not used & (FLOWS - {name}), path


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {_module(path): _imported(path) & NAMES - {_module(path)} for path in MODULES}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_modules_stay_small() -> None:
    assert [path for path in MODULES if path.stat().st_size >= 20_000] == []


def _loads(statement: str) -> set[str]:
    script = f"import sys\n{statement}\nprint(*sorted(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


def test_pycolmap_is_imported_in_one_place() -> None:
    """After OpenCV: the other way round, writing a PNG aborts the process."""
    assert [path.relative_to(ROOT).as_posix() for path in MODULES if "pycolmap" in _packages(path)] == [
        "core/geometry/colmap.py"
    ]


def test_flows_load_no_heavy_package() -> None:
    assert not _loads("import flows, flows.track_videos.flow, flows.cli.flow_commands") & HEAVY


def test_the_command_line_and_the_workers_do_not_load_prefect() -> None:
    assert not _loads("import flows.cli.main") & (HEAVY | {"prefect", "cv2", "numpy"})
    assert "prefect" not in _loads(
        "import tasks.devices.worker, core.tracking.video_item, core.tracking.render_item\n"
        "import core.refining.chunk_item, core.refining.report_item\n"
        "from core.models.registry import DETECTORS, SEGMENTERS\n"
        "from core.models.spec import ModelSpec\n"
        "DETECTORS.load(ModelSpec(backend='classical')); SEGMENTERS.load(ModelSpec(backend='classical'))"
    )
