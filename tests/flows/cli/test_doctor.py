from pathlib import Path

import pytest

import flows.cli.doctor
from core.errors import RefusedInput
from flows.cli.main import run


def test_it_says_what_works_and_what_to_do_for_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # where there are no weights
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setattr(flows.cli.doctor, "usable_gpus", list)
    assert run(["doctor"]) == 0
    said = capsys.readouterr().out
    for part in ("machine: ", "disk here: ", "GPU: none", "detector: auto takes ", "videos: reads h264", "Prefect: "):
        assert part in said
    assert "→ grounding-dino: its weights are not at" in said
    assert "maskflow weights get grounding-dino-tiny" in said


def test_what_does_not_work_is_named_and_the_exit_code_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> list[object]:
        raise RefusedInput("NVIDIA's driver is here and does not answer: restart it")

    monkeypatch.setenv("PREFECT_API_URL", "http://user:s3cret@127.0.0.1:9/api")
    monkeypatch.setattr(flows.cli.doctor, "usable_gpus", broken)
    assert run(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "fails   gpus: NVIDIA's driver is here and does not answer" in said
    assert "fails   Prefect: http://127.0.0.1:9/api does not answer" in said
    assert "s3cret" not in said
