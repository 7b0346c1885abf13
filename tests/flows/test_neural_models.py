"""Neural backends through the command line: real modules with random weights, at a small image size."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import MakeVideo
from running import Done, maskflow
from small_sam2 import SIZE, small_sam2
from small_transformers import save_small_d_fine, save_small_edgetam, save_small_grounding_dino

from core.masks import rle
from core.masks.clean import clean
from core.models.sam2.segmenter import Sam2Segmenter
from core.prompts import Prompt
from core.video.source import open_video
from flows.cli.main import run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]
BOXES = [(8, 22, 28, 42), (60, 10, 90, 50)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.pt"
    torch.save({"model": small_sam2().state_dict()}, path)
    return path


def _arguments(folder: Path, clip: Path, checkpoint: Path, *more: object) -> list[str]:
    (folder / "videos.txt").write_text(f"{clip}\n")
    entries = [{"obj_id": index + 1, "frame": 2 * index, "box": box} for index, box in enumerate(BOXES)]
    (folder / "prompts.json").write_text(json.dumps({str(clip): entries}))
    what = more if "--text-prompt" in more else ("--prompts", folder / "prompts.json", *more)
    usual = {"--sam-type": "sam2.1_hiera_tiny", "--sam-image-size": SIZE, "--model-path": checkpoint}
    arguments = [
        "track-videos", "--video-list", folder / "videos.txt", "--output-jsonl", folder / "out" / "results.jsonl",
        "--masks", "--num-workers", 1, *what,
        *(part for flag, value in usual.items() if flag not in what for part in (flag, value)),
    ]  # fmt: skip
    return [str(argument) for argument in arguments]


def _track(folder: Path, clip: Path, checkpoint: Path, *more: object) -> Done:
    return maskflow(*_arguments(folder, clip, checkpoint, *more))


def _results(folder: Path) -> list[dict[str, Any]]:
    (line,) = (folder / "out" / "results.jsonl").read_text().splitlines()
    frames: list[dict[str, Any]] = json.loads(line)["frames"]
    return frames


def test_sam2_from_boxes_by_hand(tmp_path: Path, make_video: MakeVideo, checkpoint: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=10)
    done = _track(tmp_path, clip, checkpoint)
    assert done.code == 0, done.err
    assert "Segmenter: sam2 (auto) sam2.1_hiera_tiny 128px" in done.err
    assert "Warning" not in done.err

    # The very masks the model gives when it is requested directly.
    session = Sam2Segmenter(small_sam2(conditioning_frames=4), "direct").start()
    found = 0
    with open_video(clip) as video:
        for frame, recorded in zip(video.frames(), _results(tmp_path), strict=True):
            masks = session.advance(frame.image)
            for index, (x0, y0, x1, y1) in enumerate(BOXES):
                if frame.source_frame == 2 * index:
                    masks[index + 1] = session.add(index + 1, Prompt(box=(x0, y0, x1, y1)))
            for one in recorded["objects"]:
                expected = masks[one["obj_id"]]
                assert one["score"] == pytest.approx(expected.score, abs=1e-3)
                found += 1
                mask = rle.decode({"size": one["segmentation"]["size"], "counts": one["segmentation"]["counts"]})
                np.testing.assert_array_equal(mask, clean(expected.mask))
    assert found > 10

    # With other weights, whose digest stands in the manifest, it is done again.
    other = tmp_path / "other.pt"
    torch.save({"model": small_sam2(seed=1).state_dict()}, other)
    assert _track(tmp_path, clip, other).processed == [clip.name, f"{clip.name} (review)", "report"]
    manifests = [
        json.loads(path.read_text())
        for path in (tmp_path / "out" / ".maskflow" / "track_video").glob("[!.]*/manifest.json")
    ]
    digests = {manifest["inputs"]["segmenter"]["sha256"] for manifest in manifests}
    assert len(digests) == 2
    assert all(len(digest) == 64 for digest in digests)


def test_grounding_dino_and_sam2_from_words(tmp_path: Path, make_video: MakeVideo, checkpoint: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=4)
    folder = save_small_grounding_dino(tmp_path / "dino")
    words = ("--text-prompt", "red ball. dog", "--detector-path", folder, "--schema", "objects")
    done = _track(tmp_path, clip, checkpoint, *words)
    assert done.code == 0, done.err
    assert "Detector: grounding-dino (auto)" in done.err
    assert "Traceback" not in done.err


def test_d_fine_and_edgetam_from_words(tmp_path: Path, make_video: MakeVideo) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=4)
    (tmp_path / "videos.txt").write_text(f"{clip}\n")
    done = maskflow(
        "track-videos", "--video-list", tmp_path / "videos.txt", "--output-jsonl", tmp_path / "out" / "results.jsonl",
        "--text-prompt", "dog. people", "--detector", "d-fine", "--segmenter", "edgetam", "--max-objects", 2,
        "--box-threshold", 0.2, "--num-workers", 1, "--detector-path", save_small_d_fine(tmp_path / "d-fine"),
        "--model-path", save_small_edgetam(tmp_path / "edgetam"),
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "Detector: d-fine box_threshold=0.2" in done.err
    assert "Segmenter: edgetam" in done.err
    assert all(len(frame["objects"]) <= 2 for frame in _results(tmp_path))
    assert {one["label"] for frame in _results(tmp_path) for one in frame["objects"]} <= {"dog", "people"}


def test_weights_that_do_not_fit_are_refused_before_anything_starts(
    tmp_path: Path, make_video: MakeVideo, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=2)
    (tmp_path / "page.pt").write_text("<html>")
    (tmp_path / "folder").mkdir()
    for more, expected in (
        (("--sam-type", "sam2.1_hiera_large"), "holds sam2.1_hiera_tiny, not sam2.1_hiera_large"),
        (("--model-path", tmp_path / "page.pt"), "page.pt: not a file of plain tensors: it is a web page"),
        (("--model-path", tmp_path / "none.pt"), "there are no weights at"),
        (("--segmenter", "sam3"), "tiny.pt: no sam3 model: a file, not a folder"),
        (("--sam-image-size", 100), "multiple of 32"),
        (("--text-prompt", "dog", "--detector-path", tmp_path / "folder"), "there are no weights at"),
        (("--text-prompt", "red", "--text-threshold", 0.3), "leave it out: classical has none; grounding-dino and"),
        (("--text-threshold", 0.3), "leave it out: without a text nothing is looked for"),
    ):
        assert run(_arguments(tmp_path, clip, checkpoint, *more)) == 2, more
        assert expected in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out" / "results.jsonl").exists()
