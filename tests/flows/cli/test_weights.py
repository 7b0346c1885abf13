"""`maskflow weights` as a user runs it."""

from pathlib import Path

import pytest

from core.weights.catalogue import find_weights
from flows.cli.main import run


def test_list_shows_every_name_and_what_is_on_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "sam2/checkpoints/sam2.1_hiera_tiny.pt"
    place.parent.mkdir(parents=True)
    with place.open("wb") as stream:
        stream.truncate(find_weights("sam2.1_hiera_tiny").size_bytes)
    (place.parent / "sam2_hiera_tiny.pt").write_text("another")
    (place.parent / ".sam2_hiera_small.pt.part").write_text("begun")
    assert run(["weights", "list", "--models", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    (tiny,) = [line for line in lines if " sam2.1_hiera_tiny " in line]
    assert "156.0 MB" in tiny
    assert "Apache-2.0" in tiny
    assert "on disk" in tiny
    for name, state in (("sam2_hiera_tiny", "damaged"), ("sam2_hiera_small", "in part")):
        (line,) = [line for line in lines if f" {name} " in line]
        assert state in line
    (dino,) = [line for line in lines if " grounding-dino-tiny " in line]
    assert "missing" in dino
    assert "any words" in dino
    (fine,) = [line for line in lines if " d-fine " in line]
    assert "COCO's words" in fine
    assert any(line.startswith("d-fine: put the folder of https://") for line in lines)


def test_verify_tells_what_is_damaged_or_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = ["--models", str(tmp_path)]
    assert run(["weights", "verify", *models]) == 0
    assert "No weights in" in capsys.readouterr().out
    (tmp_path / "grounding-dino-tiny").mkdir()
    (tmp_path / "grounding-dino-tiny/config.json").write_text("{}")
    assert run(["weights", "verify", *models]) == 1
    out = capsys.readouterr().out
    assert out.count("missing") == len(find_weights("grounding-dino-tiny").files) - 1
    assert out.count("damaged") == 1


def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weights", "get", "gpt", "--models", str(tmp_path)]) == 2
    assert "NAME: 'gpt' is not accepted: one of sam2.1_hiera_tiny" in capsys.readouterr().err
    assert run(["weights", "get", "sam2_hiera_tiny", "--mirror", "nonsense"]) == 2
    assert "--mirror: 'nonsense' is not accepted" in capsys.readouterr().err
    nobody = ["--mirror", "http://127.0.0.1:9"]
    assert run(["weights", "get", "sam2_hiera_tiny", "sam3", "--models", str(tmp_path), *nobody]) == 1
    reported = capsys.readouterr().err
    assert "sam2_hiera_tiny: http://127.0.0.1:9/sam2/checkpoints/sam2_hiera_tiny.pt: " in reported
    assert "sam3: http://127.0.0.1:9/sam3/" in reported
