"""Many scenes through the command line: real server, real workers, real kills."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from running import Done, maskflow
from scene_files import write_scene
from small_sam2 import SIZE, small_sam2

from core.formats.id_maps import read_id_map
from flows.cli.main import run

slow = pytest.mark.slow
SCENES = 20


def _refine(root: Path, *more: object, kill_at: str | None = None) -> Done:
    return maskflow("refine-masks", "--data_root", root, "--num-workers", 2, *more, kill_at=kill_at)


def _outputs(root: Path) -> dict[str, bytes]:
    found = [path for folder in root.glob("*/obj_ids_refine") for path in folder.iterdir()]
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def _failures(root: Path) -> dict[str, str]:
    lines = [json.loads(line) for line in (root / "failures.jsonl").read_text().splitlines()]
    return {line["item"]: line["reason"] for line in lines}


class _Hostile:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("it ran"),)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """20 scenes of two images, six of them with something wrong."""
    root = tmp_path / "scenes"
    for number in range(SCENES):
        write_scene(root, f"scene{number:02}", 2, seed=number)
    (root / "scene02/obj_ids/frame_000000.jpg.pth").write_bytes(b"\x80\x02not a tensor")
    (root / "scene03/obj_ids/frame_000001.jpg.pth").unlink()
    image = root / "scene04/images/frame_000000.jpg"
    image.write_bytes(image.read_bytes()[:400])
    shutil.rmtree(root / "scene05/obj_ids")
    torch.save({"map": torch.zeros(3, 3), "more": _Hostile()}, root / "scene06/obj_ids/frame_000001.jpg.pth")
    write_scene(tmp_path / "elsewhere", "x", 1)
    (root / "scene99").symlink_to(tmp_path / "elsewhere" / "x")
    return root


@slow
@pytest.mark.usefixtures("prefect_server")
def test_many_scenes_killed_and_gone_on_with(many: Path, tmp_path: Path) -> None:
    shutil.copytree(many, tmp_path / "again", symlinks=True)
    whole = _refine(many, "--ground-truth", tmp_path / "truth", "--png")
    assert whole.code == 1, whole.err
    assert "Traceback" not in whole.err + whole.out
    failures = _failures(many)
    assert set(failures) == {
        "scene02/frame_000000.jpg", "scene03/frame_000001.jpg", "scene04/frame_000000.jpg", "scene05",
        "scene06/frame_000001.jpg", "scene99",
    }  # fmt: skip
    reasons = (
        "not a file of plain tensors",
        "no id map",
        "unreadable image",
        "no folder obj_ids/",
        "holds code",
        "inside",
    )
    for reason, reported in zip(reasons, failures.values(), strict=True):
        assert reason in reported
        assert reason in re.sub(r"\s+", " ", whole.out)
    assert not list(Path.cwd().glob("it ran"))
    assert not (tmp_path / "elsewhere/x/obj_ids_refine").exists()
    expected = _outputs(many)
    assert len(expected) == (SCENES - 1) * 2 - 4
    assert "15 of 21 delivered, 6 failed" in whole.out
    assert "Images: 34 of 39 refined" in whole.out
    finished_items = list((many / ".maskflow/refine_images").glob("[!.]*/manifest.json"))
    assert len(finished_items) == SCENES - 1 - 3, "items in which an image failed are tried again"
    summary = json.loads((many / "refine_report.json").read_text())
    assert summary["total"]["ids_lost"] == 0
    assert summary["total"]["truth"]["miou_after"] > summary["total"]["truth"]["miou_before"]
    for name in expected:
        scene, _, file = name.split("/")
        before, after = read_id_map(many / scene / "obj_ids" / file), read_id_map(many / name)
        assert (after[before > 0] > 0).all()
        assert set(np.unique(before)) >= set(np.unique(after)) >= set(np.unique(before[before > 0]))

    again = tmp_path / "again"
    requested = ("--ground-truth", tmp_path / "truth", "--png")
    killed = _refine(again, *requested, kill_at="core.refining.chunk_item:write_id_map:7")
    assert killed.code == -9
    maps = [path for path in again.glob("*/obj_ids_refine/*.pth") if not path.name.startswith(".")]  # those are halves
    finished = {path: path.stat().st_mtime_ns for path in maps}
    assert 4 <= len(finished) < len(expected)
    resumed = _refine(again, *requested)
    assert resumed.code == 1
    assert _outputs(again) == expected
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    refined = [name for name in resumed.processed if name.endswith("]")]
    assert len(refined) <= SCENES - 1 - len(finished) // 2

    changed = _refine(many, "--iou-threshold", 0.95, "--scenes", "scene00", "scene01", "--verbose")
    assert changed.code == 0, changed.err
    assert "hardly touches good ones" in changed.err
    assert sorted(changed.processed) == ["report", "scene00 [1-2 of 2]", "scene01 [1-2 of 2]"]
    assert re.search(r"frame_000001\.jpg: \d+ masks, \d of 4 ids matched", changed.err)
    assert _outputs(many).keys() == expected.keys()


@slow
@pytest.mark.usefixtures("prefect_server")
def test_ids_survive_and_outputs_go_where_they_are_asked_for(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scenes", "s", 1)
    path = scene / "obj_ids/frame_000000.jpg.pth"
    id_map = read_id_map(path)
    id_map[id_map == 0] = -1
    id_map[:3, :5], id_map[id_map == 5] = 0, 65_535
    torch.save(id_map, path)  # a NumPy array
    requested = ("--output-dir", tmp_path / "out", "--sequential", "--matching", "documented", "--max-spread", 0)
    done = _refine(tmp_path / "scenes", *requested)
    assert done.code == 0, done.err
    assert "documented" in (tmp_path / "out/refine_report.html").read_text()
    assert sorted(p.name for p in scene.iterdir()) == ["images", "obj_ids"]
    refined = read_id_map(tmp_path / "out/s/obj_ids_refine/frame_000000.jpg.pth")
    assert set(np.unique(refined)) == {-1, 0, 3, 9, 65_535, 70_000}
    assert done.processed == ["s [1-1 of 1]", "report"]
    judged = _refine(tmp_path / "scenes", *requested, "--ground-truth", tmp_path / "truth")
    assert judged.processed == ["s [1-1 of 1] (truth)", "report"], "a truth that comes later costs no refining"
    assert "Truth: found for 1 of 1 images" in judged.err
    assert json.loads((tmp_path / "out/refine_report.json").read_text())["total"]["truth"]["images"] == 1


@slow
@pytest.mark.usefixtures("prefect_server")
def test_masks_of_sam2(tmp_path: Path) -> None:
    write_scene(tmp_path / "scenes", "s", 1)
    torch.save({"model": small_sam2().state_dict()}, tmp_path / "tiny.pt")
    sam2 = ("--model_cfg", "sam2.1_hiera_t.yaml", "--checkpoint", tmp_path / "tiny.pt", "--sam-image-size", SIZE)
    low = ("--points-per-side", 4, "--pred_iou_thresh", 0, "--stability-score-thresh", 0, "--box-nms-thresh", 1)
    done = _refine(tmp_path / "scenes", *sam2, *low)
    assert done.code == 0, done.err
    assert "Generator: sam2 (auto) sam2.1_hiera_tiny 128px points_per_side=4" in done.err
    (line,) = (tmp_path / "scenes/refine_report.jsonl").read_text().splitlines()
    assert json.loads(line)["masks"] > 5


@pytest.mark.parametrize(
    ("changes", "reported"),
    [
        (
            {"--data-root": "none"},
            "--data-root: 'none' is not accepted: a folder of scenes (no such file or directory)",
        ),
        ({"--data-root": "empty"}, "each with images/ and obj_ids/"),
        ({"--data-root": "scenes/s"}, "this is a scene itself: give the folder above"),
        ({"--scenes": "../x"}, "--scenes: ['../x'] is not accepted: names of scenes in scenes: s"),
        ({"--model_cfg": "sam3.yaml"}, "--model-cfg: 'sam3.yaml' is not accepted: one of sam2.1_hiera_t.yaml"),
        ({"--generator": "sam2"}, "--generator: 'sam2' cannot be used: its weights are not at"),
        ({"--checkpoint": "none.pt"}, "there are no weights at"),
        ({"--iou-threshold": "0"}, "--iou-threshold: 0.0 is not accepted"),
        ({"--max-scenes": "0"}, "--max-scenes: 0 is not accepted"),
        ({"--processes-per-gpu": "0"}, "--processes-per-gpu: 0 is not accepted"),
        ({"--ground-truth": "none"}, "--ground-truth: 'none' is not accepted"),
        ({"--output-dir": "/proc/none"}, "--output-dir"),
        ({"--matching": "best"}, "matching"),
    ],
)
def test_refused_input(
    tmp_path: Path,
    changes: dict[str, str],
    reported: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_scene(tmp_path / "scenes", "s", 1)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")  # nothing is requested of any server
    given = {"--data-root": "scenes", **changes}
    assert run(["refine-masks", *(part for pair in given.items() for part in pair)]) == 2
    printed = capsys.readouterr()
    assert reported in " ".join(re.sub("[│╭╮╰╯─]", " ", printed.err + printed.out).split())
