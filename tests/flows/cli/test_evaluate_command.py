"""`maskflow evaluate` on files as others lay them out: the right numbers, whatever names and rows look like."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.formats.exchange import results_lines
from core.formats.exchange.model import SeenFrame, SeenObject, VideoResults
from core.formats.prompts import read_prompts
from core.masks import Mask, rle
from flows.cli.main import run

_H, _W = 48, 64


def _mask(number: int) -> Mask:
    mask = np.zeros((_H, _W), np.bool_)
    mask[10:26, 4 + 4 * number : 16 + 4 * number] = True
    return mask


def _pngs(folder: Path, names: Sequence[str], at: Callable[[int], int] = lambda place: place) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(names):
        image = Image.fromarray(_mask(at(place)).astype(np.uint8), "P")
        image.putpalette([0, 0, 0, 200, 0, 0])
        image.save(folder / f"{name}.png")
    return folder.parent


def _results(path: Path, videos: dict[str, Sequence[int]]) -> Path:
    def video(name: str, numbers: Sequence[int]) -> VideoResults:
        frames = []
        for number in numbers:
            packed = rle.encode(_mask(number))
            frames.append(SeenFrame(number, number / 25, (SeenObject(1, "a", rle.box_xyxy(packed), 0.9, packed),)))
        return VideoResults(Path(name).stem, _W, _H, 25.0, lambda: iter(frames), 12, name, None, 25.0)

    results_lines.write(path, [video(name, numbers) for name, numbers in videos.items()])
    return path


def _figures(found: Path, truth: Path, output: Path, *more: str) -> dict[str, Any]:
    assert run(["evaluate", str(found), "--truth", str(truth), "--output", str(output), *more]) == 0
    figures: dict[str, Any] = json.loads((output / "evaluation.json").read_text())
    return figures


def test_a_choice_of_frames_counts_as_the_whole_does(tmp_path: Path) -> None:
    truth = _pngs(tmp_path / "truth" / "walk", [f"{n:05}" for n in range(1, 11)])
    found = _pngs(tmp_path / "found" / "walk", ["00001", "00005", "00009"], lambda place: 4 * place)
    assert _figures(found, truth, tmp_path / "out")["overall"]["j"]["mean"] == 1.0
    assert _figures(truth, found, tmp_path / "other")["overall"]["j"]["mean"] == 1.0


def test_a_file_of_kitti_without_objects_on_frame_0(tmp_path: Path) -> None:
    def rows(first: int) -> str:
        return "".join(f"{n},1,{4 + 4 * n},10,12,16,1,1,1\n" for n in range(first, 8))

    info = f"[Sequence]\nname=A\nframeRate=10\nseqLength=8\nimWidth={_W}\nimHeight={_H}\n"
    truth = tmp_path / "truth" / "A" / "gt"
    truth.mkdir(parents=True)
    (truth / "gt.txt").write_text(rows(0))
    (truth.parent / "seqinfo.ini").write_text(info)
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "A.txt").write_text(rows(1))
    (tmp_path / "found" / "README.txt").write_text("ours\n")
    figures = _figures(tmp_path / "found" / "A.txt", tmp_path / "truth", tmp_path / "out")
    assert figures["overall"]["recall"] == pytest.approx(7 / 8)
    assert figures["overall"]["precision"] == 1.0
    assert _figures(tmp_path / "found", truth.parent, tmp_path / "again")["overall"]["precision"] == 1.0


def test_flat_truth_of_mot_has_flags_too(tmp_path: Path) -> None:
    for side, more in (("truth", "1,2,30,10,12,16,0,8,1\n"), ("found", "1,2,30,10,12,16,1,-1,-1,-1\n")):
        (tmp_path / side).mkdir()
        (tmp_path / side / "V.txt").write_text(f"1,1,4,10,12,16,1,1,1\n{more}")
    _pngs(tmp_path / "videos" / "V", ["000001"])
    figures = _figures(tmp_path / "found", tmp_path / "truth", tmp_path / "out", "--videos", str(tmp_path / "videos"))
    assert figures["overall"]["mota"] == 1.0


@pytest.mark.parametrize("failed", [False, True])
def test_videos_of_one_name_are_judged_by_their_own_truth(tmp_path: Path, failed: bool) -> None:
    truth = _results(tmp_path / "t.jsonl", {f"/data/cam{n}/rgb.mp4": range(n, n + 4) for n in range(3)})
    there = (2, 1) if failed else (2, 1, 0)
    own: dict[str, Sequence[int]] = {f"/moved/cam{n}/rgb.mp4": range(n, n + 4) for n in there}
    figures = _figures(_results(tmp_path / "f.jsonl", own), truth, tmp_path / "out")
    assert {video["name"] for video in figures["videos"]} == {f"cam{n}_rgb" for n in there}
    assert all(video["j"]["mean"] == 1.0 for video in figures["videos"])
    assert figures["without_results"] == (["cam0_rgb"] if failed else [])


def test_a_video_that_may_be_another_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = _results(tmp_path / "t.jsonl", {"/data/cam0/rgb.mp4": range(4)})
    _figures(_results(tmp_path / "f.jsonl", {"/data/cam1/rgb.mp4": range(4)}), truth, tmp_path / "out")
    assert "cam1/rgb was judged by the truth of cam0/rgb" in capsys.readouterr().out


def test_a_video_without_objects_leaves_the_others_judged(tmp_path: Path) -> None:
    images = [{"id": n, "file_name": f"{'ab'[n]}_000000.jpg", "width": _W, "height": _H} for n in (0, 1)]
    box = {"category_id": 1, "bbox": [4, 10, 12, 16], "track_id": 1}
    for name, annotations in (
        ("truth", [{**box, "id": 1, "image_id": 0}]),
        ("found", [{**box, "id": n + 1, "image_id": n, "score": 0.9 - n / 10} for n in (0, 1)]),
    ):
        content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "a"}]}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    figures = _figures(tmp_path / "found.json", tmp_path / "truth.json", tmp_path / "out")
    assert figures["overall"]["precision"] == 0.5, "what is found where nothing is, is false"
    assert figures["overall"]["ap"] == pytest.approx(1.0)


def test_scenes_keep_their_frames(tmp_path: Path) -> None:
    _pngs(tmp_path / "videos" / "walk", [f"{n:05}" for n in range(1, 8)])
    results = _results(tmp_path / "r.jsonl", {str(tmp_path / "videos" / "walk"): range(2, 6)})
    scenes = tmp_path / "scenes"
    assert run(["import", str(results), "--to", "scenes", "--output", str(scenes)]) == 0
    assert sorted(path.name for path in (scenes / "walk" / "obj_ids").iterdir())[0] == "00003.jpg.pth"
    assert _figures(scenes, results, tmp_path / "out")["overall"]["j"]["mean"] == 1.0


def test_prompts_are_such_as_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "found").mkdir()
    rows = "1,70000,4,10,12,16,1\n1,3,9,9,0,4,1\n2,5,4,10,12,16,1\n"
    (tmp_path / "found" / "V.txt").write_text(rows)
    _pngs(tmp_path / "videos" / "V", ["000001", "000002"])
    arguments = ["import", str(tmp_path / "found"), "--output", str(tmp_path / "p.json")]
    assert run([*arguments, "--videos", str(tmp_path / "videos")]) == 0
    ((_, prompts),) = read_prompts(tmp_path / "p.json").items()
    assert sorted((one.frame, one.obj_id) for one in prompts) == [(0, 1), (1, 2)]


def test_two_files_about_one_video_make_one_list_of_prompts(tmp_path: Path) -> None:
    (tmp_path / "videos" / "walk").mkdir(parents=True)
    Image.new("RGB", (_W, _H)).save(tmp_path / "videos" / "walk" / "0.jpg")
    for number, label in enumerate("pq"):
        size = f"<original_size><width>{_W}</width><height>{_H}</height></original_size>"
        meta = f"<meta><task><size>4</size><stop_frame>3</stop_frame>{size}<source>walk.mp4</source></task></meta>"
        box = f'<box frame="{number}" outside="0" xtl="2" ytl="3" xbr="8" ybr="9"/>'
        track = f'<track id="0" label="{label}">{box}</track>'
        (tmp_path / f"job_{number}.xml").write_text(f"<annotations>{meta}{track}</annotations>")
    arguments = ["import", str(tmp_path), "--format", "cvat", "--output", str(tmp_path / "p.json")]
    assert run([*arguments, "--videos", str(tmp_path / "videos" / "walk")]) == 0
    ((_, prompts),) = read_prompts(tmp_path / "p.json").items()
    assert sorted((one.obj_id or 0, one.label) for one in prompts) == [(1, "p"), (2, "q")]
