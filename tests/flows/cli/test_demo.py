from dataclasses import replace
from pathlib import Path

import pytest
from running import maskflow

from core.evaluation import clips
from flows.cli import demo


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("more", [(), ("--sam2",)])
def test_the_demo_ends_with_scores_and_everything_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    short = (replace(clips.SCENES[0], frames=8),)
    for module in (clips, demo):
        monkeypatch.setattr(module, "SCENES", short)
    output = tmp_path / "demo"
    done = maskflow("demo", "--output", output, *more)
    assert done.code == 0, done.err
    assert "3/3" in done.out, "all objects found, ids kept"
    for made in ("results.jsonl", "results_report.html", "truth.jsonl", "tracked/crossing_tracked.mp4"):
        assert (output / made).stat().st_size > 500
    assert (output / "recordings" / "crossing.rrd").stat().st_size > 500
    judged = maskflow("evaluate", output / "results.jsonl", "--truth", output / "truth.jsonl")
    assert judged.code == 0, judged.err
