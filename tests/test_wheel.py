"""The wheel, installed: its commands find all that they need, without a checkout."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from conftest import MakeVideo

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that no build folder is left in the project."""
    source = tmp_path_factory.mktemp("wheel") / "source"
    for name in ("core", "tasks", "flows", "deployments"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "prefect.yaml"):
        shutil.copy(ROOT / name, source)
    build: list[str | Path] = [
        UV,
        "build",
        "--wheel",
        "--offline",
        "--no-build-isolation",
        "--python",
        sys.executable,
        source,
    ]
    subprocess.run([*build, "--out-dir", source.parent], check=True, capture_output=True)
    (built,) = source.parent.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def maskflow(wheel: Path) -> Path:
    """The command of a fresh environment with the wheel in it, beside the other packages of this one."""
    environment = wheel.parent / "env"
    venv.create(environment)
    python = environment / "bin" / "python"
    install: list[str | Path] = [UV, "pip", "install", "--offline", "--no-deps", "--python", python, wheel]
    subprocess.run(install, check=True, capture_output=True)
    packages = environment / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin" / "maskflow"


def _run(maskflow: Path, folder: Path, *arguments: object) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [maskflow, *map(str, arguments)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_it_holds_no_tests_and_all_files_that_are_no_code(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"core", "tasks", "flows"}
    automations = {f"flows/cli/deployed/automations/{name}.yaml" for name in ("crashed", "never_started", "notify")}
    wanted = {"core/report/page.html.jinja", "core/py.typed", "flows/cli/deployed/prefect.yaml", *automations}
    assert wanted <= names


def test_a_run_ends_with_results_and_a_report(maskflow: Path, tmp_path: Path, make_video: MakeVideo) -> None:
    make_video(tmp_path / "a.mp4", frames=5)
    (tmp_path / "videos.txt").write_text("a.mp4\n")
    shown = _run(
        maskflow, tmp_path, "track-videos", "--video-list", "videos.txt", "--text-prompt", "red square",
        "--output-jsonl", "out/results.jsonl",
    )  # fmt: skip
    assert "1 of 1 delivered" in shown
    assert "Completed: a.mp4" in " ".join(shown.split())  # its own log lines
    assert "Finished in state" not in shown  # Prefect's
    assert json.loads((tmp_path / "out/results.jsonl").read_text())["frames"]
    assert "<html" in (tmp_path / "out/results_report.html").read_text()


@pytest.mark.usefixtures("prefect_server")
def test_deployments_start_where_they_were_registered(maskflow: Path, tmp_path: Path) -> None:
    shown = _run(maskflow, tmp_path, "deploy")
    assert shown.count("Deployment ") == (ROOT / "prefect.yaml").read_text().count("entrypoint:")
    from prefect.client.orchestration import get_client
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("track-videos/track-videos")
    assert deployment.entrypoint == "flows.track_videos.flow.track_videos"
    assert str(tmp_path) in json.dumps(deployment.pull_steps)
