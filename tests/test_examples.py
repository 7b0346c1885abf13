"""The examples run as they stand, the notebook's cells in their order while an event loop runs, as in Jupyter."""

import asyncio
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.py") if path.name != "example_clip.py")
SAYS = {
    "evaluate_results.py": "IDF1 1.000",
    "export_to_cvat.py": "1 video, 1 track, ",
    "inside_a_flow.py": "red object",
    "own_backend.py": "24 frames, seen on 24 of them: bright red",
    "track_with_boxes.py": "crossing.mp4 done",
    "track_with_text.py": "[(1, 'red object'), (2, 'blue object')]",
}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all, so that the clip is rendered once."""
    return tmp_path_factory.mktemp("examples")


@pytest.fixture(autouse=True)
def _as_a_user_runs_them(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.usefixtures("prefect_server")
def test_an_example_runs(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / script), run_name="__main__")
    assert SAYS[script] in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_the_notebook_runs(here: Path) -> None:
    (here / "examples").symlink_to(EXAMPLES)
    cells = json.loads((EXAMPLES / "track.ipynb").read_text())["cells"]
    names: dict[str, Any] = {}

    async def run() -> None:
        for cell in cells:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), names)

    asyncio.run(run())
    assert names["run"].failed == 0
    assert len(names["rows"]) > 60
