"""`maskflow export`, `import` and `evaluate` as a user calls them, and what they say to bad input."""

import json
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest

from core.formats.corrections import read_corrections
from core.formats.exchange import results_lines
from core.formats.exchange.model import SeenFrame, SeenObject, VideoResults
from core.formats.exchange.registry import FORMATS, read_results
from core.formats.prompts import read_prompts
from core.formats.review_jsonl import read_review
from core.masks import rle
from core.store.safe_load import load_json
from core.video.writer import write_video
from flows.cli.exchange import export_results
from flows.cli.main import run

_H, _W, _FRAMES = 48, 64, 12


def _video(name: str, folder: Path, shift: int = 0, label: str = "red ball") -> VideoResults:
    """A video file, and a square that moves through it with its mask."""
    path = folder / f"{name}.mp4"
    frames = []
    with write_video(path, 10, _W, _H) as out:
        for index in range(_FRAMES):
            mask = np.zeros((_H, _W), np.bool_)
            mask[10:24, 5 + 2 * index : 19 + 2 * index] = True
            image = np.full((_H, _W, 3), 40, np.uint8)
            image[mask] = (200, 50, 50)
            out.write(image, index / 10)
            shown = rle.encode(np.roll(mask, shift, axis=1))
            seen = SeenObject(1, label, rle.box_xyxy(shown), 0.5 + index / 100, shown)
            frames.append(SeenFrame(index, index / 10, (seen,)))
    return VideoResults(name, _W, _H, 10.0, lambda: iter(frames), _FRAMES, str(path), label, 10.0)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results file of two videos that are there."""
    path = tmp_path / "results.jsonl"
    results_lines.write(path, [_video("one", tmp_path), _video("two", tmp_path, label="dog")])
    return path


def _refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that a command is refused with."""
    assert run([str(argument) for argument in arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_every_format_can_be_chosen() -> None:
    chosen = get_args(get_type_hints(export_results)["to"])
    assert sorted(chosen) == sorted(FORMATS)


@pytest.mark.parametrize("to", ["coco", "coco-video", "cvat", "davis", "mot", "mots", "yolo", "rerun"])
def test_export_with_frames_and_parts(results: Path, tmp_path: Path, to: str) -> None:
    output = tmp_path / "out"
    assert run(["export", str(results), "--to", to, "--output", str(output), "--frames", "--split", "0.5", "0.5"]) == 0
    pictures = sorted(output.rglob("*.jpg"))
    assert len(pictures) == (0 if to == "rerun" else 2 * _FRAMES)
    videos = read_results(output)
    assert sum(len(frame.objects) for video in videos for frame in video.read()) == 2 * _FRAMES
    assert {"train", "val"} <= {part for path in output.rglob("*") for part in path.stem.replace("_", " ").split()}


def test_labels_and_scores_choose(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out"
    arguments = ["export", str(results), "--to", "coco", "--output", str(output), "--labels", "red ball=ball", "dog="]
    assert run([*arguments, "--min-score", "0.55"]) == 0
    reported = load_json(output / "annotations" / "instances_train.json")
    assert [one["name"] for one in reported["categories"]] == ["ball"]
    assert [one["score"] for one in reported["annotations"]] == [0.5 + i / 100 for i in range(5, _FRAMES)]
    assert len(reported["images"]) == 2 * _FRAMES, "frames on which nothing is left were looked at all the same"
    assert "1 track, 7 objects as mask" in capsys.readouterr().out


def test_import_makes_prompts_results_and_scenes(results: Path, tmp_path: Path) -> None:
    run(["export", str(results), "--to", "cvat", "--output", str(tmp_path / "cvat")])
    annotations = str(tmp_path / "cvat")
    assert run(["import", annotations, "--output", str(tmp_path / "p.json"), "--every", "5"]) == 0
    prompts = read_prompts(tmp_path / "p.json")
    assert set(prompts) == {str(tmp_path / "one.mp4"), str(tmp_path / "two.mp4")}
    assert [(p.frame, p.label, p.mask is not None) for p in prompts[str(tmp_path / "one.mp4")]] == [
        (0, "red ball", True), (5, "red ball", True), (10, "red ball", True)
    ]  # fmt: skip
    assert run(["import", annotations, "--to", "results", "--output", str(tmp_path / "again.jsonl")]) == 0
    wanted, found = (
        [[o.rle for o in frame.objects] for frame in read_results(path)[0].read()]
        for path in (results, tmp_path / "again.jsonl")
    )
    assert wanted == found
    assert run(["import", annotations, "--to", "scenes", "--output", str(tmp_path / "scenes")]) == 0
    scenes = read_results(tmp_path / "scenes")
    assert [video.name for video in scenes] == ["one", "two"]
    assert len(list((tmp_path / "scenes" / "one" / "images").iterdir())) == _FRAMES
    assert [[o.rle for o in frame.objects] for frame in scenes[0].read()] == wanted


def test_evaluate_prints_and_writes_figures(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["export", str(results), "--to", "davis", "--output", str(tmp_path / "truth")])
    off = tmp_path / "off.jsonl"
    results_lines.write(off, [_video("one", tmp_path, shift=2), _video("two", tmp_path)])
    capsys.readouterr()
    assert run(["evaluate", str(off), "--truth", str(tmp_path / "truth"), "--output", str(tmp_path / "eval")]) == 0
    reported = load_json(tmp_path / "eval" / "evaluation.json")
    assert reported["overall"]["j"]["mean"] == pytest.approx((1 + 12 / 16) / 2)
    assert reported["overall"]["switches"] == 0
    assert [video["j"]["mean"] for video in reported["videos"]] == [pytest.approx(0.75), 1.0]
    page = (tmp_path / "eval" / "evaluation.html").read_text()
    assert "data:image/jpeg;base64," in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "HOTA" in capsys.readouterr().out


def test_what_cannot_be_read_is_refused_in_one_line_and_nothing_is_left(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    to_coco = ("--to", "coco", "--output", output)
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(results.read_bytes()[:-40])
    assert "cut.jsonl, line 2: cut short" in _refused(capsys, "export", cut, *to_coco)
    inner = tmp_path / "inner.jsonl"
    inner.write_bytes(results.read_bytes()[:-200] + b"}\n")
    assert "inner.jsonl, line 2: " in _refused(capsys, "export", inner, *to_coco)
    other = tmp_path / "other.jsonl"
    other.write_text('{"a": 1}\n')
    assert "other.jsonl: unknown schema" in _refused(capsys, "export", other, *to_coco)
    keyless = tmp_path / "keyless.jsonl"
    keyless.write_text('{"video_path": "a.mp4", "text_prompt": null}\n')
    assert "keyless.jsonl, line 1: unknown schema: neither frames nor objects" in _refused(
        capsys, "export", keyless, *to_coco
    )
    assert "no such file" in _refused(capsys, "export", tmp_path / "nowhere", *to_coco)
    assert not output.exists()
    assert not list(tmp_path.glob(".out*"))


def test_masks_that_do_not_fit_are_refused(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = results.read_text().splitlines()
    line = json.loads(lines[0])
    line["frames"][3]["objects"][0]["segmentation"]["size"] = [7, 7]
    broken = tmp_path / "broken.jsonl"
    broken.write_text(json.dumps(line) + "\n")
    reported = _refused(capsys, "export", broken, "--to", "coco", "--output", tmp_path / "out")
    assert "broken.jsonl, line 1: a mask's size is [7, 7]" in reported
    line["frames"][3]["objects"][0]["segmentation"] = {"size": [_H, _W], "counts": "zzzz"}
    broken.write_text(json.dumps(line) + "\n")
    assert "RLE" in _refused(capsys, "export", broken, "--to", "coco", "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_refusals_name_the_parameter(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    reported = _refused(capsys, "export", results, "--to", "coco", "--output", full)
    assert "--output: " in reported
    assert "empty" in reported
    assert (full / "mine.txt").read_text() == "mine"
    out = ("--output", tmp_path / "out")
    assert "--shape: 'polygon' is not accepted: mot holds box" in _refused(
        capsys, "export", results, "--to", "mot", *out, "--shape", "polygon"
    )
    assert "--split: [0.5, 0.2]" in _refused(capsys, "export", results, "--to", "coco", *out, "--split", "0.5", "0.2")
    assert "--labels: 'ball'" in _refused(capsys, "export", results, "--to", "coco", *out, "--labels", "ball")
    assert "--min-score: 3.0" in _refused(capsys, "export", results, "--to", "coco", *out, "--min-score", "3")
    assert "--format: 'pdf'" in _refused(capsys, "export", results, "--to", "coco", *out, "--format", "pdf")
    (tmp_path / "one.mp4").unlink()
    reported = _refused(capsys, "export", results, "--to", "coco", *out, "--frames")
    assert "no pictures: " in reported
    assert "one.mp4 is not there" in reported
    assert not (tmp_path / "out").exists()


def test_odd_labels_and_names_stay_inside_the_folder(tmp_path: Path) -> None:
    label = "../../猫 <x>&\"'\n=,;"
    odd = _video("one", tmp_path, label=label)
    path = tmp_path / "results.jsonl"
    results_lines.write(path, [odd])
    text = path.read_text().replace(str(tmp_path / "one.mp4"), "../../../etc/pass wd.mp4")
    path.write_text(text)
    for to in ("coco", "coco-video", "cvat", "davis", "mot", "mots", "yolo"):
        output = tmp_path / "inside" / to
        assert run(["export", str(path), "--to", to, "--output", str(output)]) == 0
        (back,) = read_results(output)
        labels = {one.label for frame in back.read() for one in frame.objects}
        assert len(labels) == 1
        if to in ("coco", "coco-video", "davis", "yolo"):
            assert labels == {label}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["inside", "one.mp4", "results.jsonl"]


def test_review_lists_what_a_person_should_look_at(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = results.read_text().splitlines()
    line = json.loads(lines[0])
    mask = np.zeros((_H, _W), np.bool_)
    mask[30:46:2, 40:60] = True  # a comb where nothing is
    line["frames"][6]["objects"][0] |= {"segmentation": rle.encode(mask), "bbox": [40, 30, 19, 15]}
    results.write_text(json.dumps(line) + "\n" + lines[1] + "\n")
    assert run(["review", str(results), "--output", str(tmp_path / "review")]) == 0
    entries = read_review(tmp_path / "review" / "review.jsonl")
    assert (entries[0].video, entries[0].source_frame) == ("one", 6)
    assert "ragged outline" in entries[0].why
    assert entries[0].signs["pieces"] > 0.5
    assert "data:image/jpeg;base64," in (tmp_path / "review" / "review.html").read_text()
    (tmp_path / "one.mp4").unlink()
    capsys.readouterr()
    assert run(["review", str(results), "--output", str(tmp_path / "blind")]) == 0
    assert "the video was not found (--videos): one" in capsys.readouterr().out
    assert read_review(tmp_path / "blind" / "review.jsonl")[0].source_frame in (6, 7)


@pytest.mark.parametrize("to", ["coco", "coco-video", "cvat", "davis", "mot", "mots", "results"])
def test_what_nobody_changed_elsewhere_is_no_correction(results: Path, tmp_path: Path, to: str) -> None:
    assert run(["export", str(results), "--to", to, "--output", str(tmp_path / to)]) == 0
    output = tmp_path / "corrections.json"
    arguments = ["--to", "corrections", "--results", str(results), "--output", str(output)]
    assert run(["import", str(tmp_path / to), *arguments]) == 0
    every = read_corrections(output).videos.values()
    assert len(every) == 2
    assert [one for one in every if one.prompts or one.absent or one.labels] == []


def test_corrections_of_a_file_that_was_changed(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["export", str(results), "--to", "mot", "--output", str(tmp_path / "mot")])
    rows = tmp_path / "mot" / "train" / "one" / "gt" / "gt.txt"
    rows = (
        rows
        if rows.exists()
        else next((tmp_path / "mot").rglob("one*/**/gt.txt"), next((tmp_path / "mot").rglob("*.txt")))
    )
    lines = rows.read_text().splitlines()
    rows.write_text("\n".join(lines[:4] + lines[6:]) + "\n")
    output = tmp_path / "corrections.json"
    arguments = ["--to", "corrections", "--results", str(results), "--output", str(output)]
    assert run(["import", str(tmp_path / "mot"), *arguments]) == 0
    assert "0 changed shapes, 1 absence, 0 labels" in capsys.readouterr().out
    assert "--results: missing: the results as they were" in _refused(
        capsys, "import", tmp_path / "mot", "--to", "corrections", "--output", output
    )
