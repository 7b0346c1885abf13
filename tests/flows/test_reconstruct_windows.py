"""Frames to windows to one model through the command line: real server, real workers, real kills."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from photographs import photographs, write_photographs, write_reference
from PIL import Image
from running import Done, finish, maskflow, start
from safetensors.torch import save_file

from core.formats.alignment_json import read_alignment
from core.formats.window_info import read_window_info
from core.geometry.colmap import pycolmap
from core.video.writer import write_video
from flows.cli.main import run

slow = pytest.mark.slow
GOOD, ALL = 18, 28
STANDIN = Path(__file__).parents[1] / "vggt_standin"


def _reconstruct(frames: Path, output: Path, *more: object, kill_at: str | None = None) -> Done:
    return maskflow("reconstruct-windows", "--input_dir", frames, "--output_dir", output, *more, kill_at=kill_at)


def _outputs(output: Path) -> dict[str, bytes]:
    """All files but recordings, which number their chunks anew, and pages, which tell how long it took."""
    found = [p for p in output.rglob("*") if p.is_file() and ".maskflow" not in p.parts]
    kept = [path for path in found if path.suffix not in (".rrd", ".html")]
    return {str(path.relative_to(output)): path.read_bytes() for path in kept}


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """18 photographs; a copy, a broken one, one of another size; then blank ones, enough for a window of their own."""
    folder = tmp_path / "frames"
    write_photographs(folder, GOOD)
    shutil.copy(folder / f"frame_{GOOD - 1}.png", folder / f"frame_{GOOD}.png")
    (folder / "frame_2.png").write_bytes((folder / "frame_2.png").read_bytes()[:500])
    Image.fromarray(photographs(1)[0]).resize((160, 120)).save(folder / "frame_5.png")
    for number in range(GOOD + 1, ALL):
        Image.fromarray(np.full((240, 320, 3), 50 + number, np.uint8)).save(folder / f"frame_{number}.png")
    return folder


@slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("prefect_server")
def test_killed_and_gone_on_with(frames: Path, tmp_path: Path) -> None:
    reference = write_reference(tmp_path / "reference.txt", GOOD)
    requested = ("--reference-poses", reference)
    whole = _reconstruct(frames, tmp_path / "whole", *requested)
    assert whole.code == 1, whole.err
    assert "Traceback" not in whole.err + whole.out
    failures = [json.loads(line) for line in (tmp_path / "whole/failures.jsonl").read_text().splitlines()]
    reasons = {one["item"]: one["reason"] for one in failures}
    assert set(reasons) == {"frame_2.png", "frame_5.png", "window 5 (frames 21-28)"}
    assert "unreadable image" in reasons["frame_2.png"]
    assert "160x120 pixels, the others 320x240" in reasons["frame_5.png"]
    assert "no two of its 8 frames match: blank" in reasons["window 5 (frames 21-28)"]
    assert f"frame_{GOOD}.png has the same content as frame_{GOOD - 1}.png" in whole.err
    reported = [read_window_info(tmp_path / f"whole/batch_{n // 4:03d}/window_{n:03d}") for n in range(6)]
    assert [one.status for one in reported] == ["done"] * 5 + ["failed"]
    assert [one.registered for one in reported] == [6, 7, 8, 7, 3, 0]
    assert (
        (tmp_path / "whole/batch_001/window_005/window_info.txt")
        .read_text()
        .startswith("Window 5\nImages: 8\nPoints: 0")
    )
    assert not (tmp_path / "whole/batch_001/window_005/sparse").exists()
    merged = pycolmap.Reconstruction(tmp_path / "whole/merged/sparse")
    good = {f"frame_{n}.png" for n in range(GOOD + 1)} - {"frame_2.png", "frame_5.png"}
    assert {merged.image(i).name for i in merged.reg_image_ids()} == good
    alignment = read_alignment(tmp_path / "whole/alignment.json")
    assert alignment.reference is not None
    assert alignment.reference.position_rmse < 0.04, "of 3.7 travelled"
    assert "position RMSE 0.0" in whole.err
    assert (tmp_path / "whole/merged.rrd").stat().st_size > 10_000
    expected = _outputs(tmp_path / "whole")

    for already, kill_at in ((0, "core.reconstruction.window_item:colour_points:4"), (3, None)):
        one = _reconstruct(frames, tmp_path / "again", *requested, "--num-workers", 1, kill_at=kill_at)
        windows = [name for name in one.processed if name.startswith("window")]
        assert len(windows) <= 6 - already, "what is done is not done again"
        assert one.code == (1 if kill_at is None else -9), one.err
    assert _outputs(tmp_path / "again") == expected


@slow
@pytest.mark.usefixtures("prefect_server")
def test_a_video_in_other_windows(tmp_path: Path) -> None:
    video, images = tmp_path / "walk.mp4", photographs(14, step=0.11)
    with write_video(video, 10, 320, 240) as writer:
        for number, image in enumerate(images):
            writer.write(image, number / 10)
    masks = tmp_path / "masks"
    masks.mkdir()
    black = np.full((240, 320), 255, np.uint8)
    black[:, 250:] = 0
    for number in range(14):
        Image.fromarray(black).save(masks / f"frame_{number:06d}.png")
    output = tmp_path / "out"
    shape = ("--fps", 5, "--window-size", 4, "--window-stride", 2, "--tail", "drop", "--window_batch_size", 1)
    done = _reconstruct(video, output, *shape, "--no-loops", "--mask-dir", masks, "--focal-length", 300)
    assert done.code == 0, done.err
    names = sorted(path.name for path in (output / "images").iterdir())
    assert names == [f"frame_{number:06d}.jpg" for number in range(0, 14, 2)]
    assert sorted(p.name for p in output.glob("batch_*")) == ["batch_000", "batch_001"]
    assert "Focal length at the start: 300 px, given" in done.err
    model = pycolmap.Reconstruction(output / "batch_001/window_001/sparse")
    assert model.num_reg_images() == 4
    seen = [q.xy for i in model.reg_image_ids() for q in model.image(i).get_observation_points2D()]
    assert max(xy[0] for xy in seen) < 251, "nothing where the mask is black"
    assert model.camera(1).params[0] == 300


@slow
@pytest.mark.usefixtures("prefect_server")
def test_vggt_with_a_stand_in_for_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(STANDIN))
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(10):
        image = np.random.default_rng(number).integers(0, 255, (90, 160, 3), np.uint8)
        image[40:50, 75:85] = number  # what the stand-in reads
        Image.fromarray(image).save(folder / f"{number}.png")
    (folder / "4.png").write_bytes(b"broken")
    save_file({"step": torch.tensor(0.2)}, tmp_path / "model.safetensors")
    requested = (
        "--model-path", tmp_path / "model.safetensors", "--window-size", 4, "--window-stride", 2,
        "--conf-thres-value", 9.9,
    )  # fmt: skip
    process = start("reconstruct-windows", "--input_dir", folder, "--output_dir", tmp_path / "out", *requested)
    done = finish(process)  # in a process of its own, which finds the package
    assert done.code == 1, done.err
    assert "Reconstructor: vggt (auto)" in done.err
    (failure,) = (tmp_path / "out/failures.jsonl").read_text().splitlines()
    assert json.loads(failure)["item"] == "4.png"
    info = read_window_info(tmp_path / "out/batch_000/window_001")
    assert [frame.name for frame in info.frames if not frame.registered] == ["4.png"]
    assert info.method == "feed-forward"
    assert "no bundle adjustment: " in info.notes[0]
    alignment = read_alignment(tmp_path / "out/alignment.json")
    assert [one.status for one in alignment.windows] == ["aligned"] * 4
    assert alignment.missing == ["4.png"]
    merged = pycolmap.Reconstruction(tmp_path / "out/merged/sparse")
    places = np.array([merged.image(i).projection_center() for i in sorted(merged.reg_image_ids())])
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    np.testing.assert_allclose(steps, [0.2, 0.2, 0.2, 0.4, 0.2, 0.2, 0.2, 0.2], rtol=0.05)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["--window-size", "4", "--window-stride", "5"], "--window-stride: 5 is not accepted: at most --window-size"),
        (["--fps", "2"], "--fps: 2.0 is not accepted: only for a video"),
        (["--mask-dir", "nowhere"], "--mask-dir: 'nowhere' is not accepted"),
        (["--reference-poses", "nowhere"], "--reference-poses: 'nowhere' cannot be used"),
        (["--backend", "vggt"], "cannot be used"),
        (["--window-size", "1"], "--window-size"),
        (["--input-dir", "nowhere"], "--input-dir: 'nowhere' is not accepted"),
    ],
)
def test_bad_input_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str], reason: str
) -> None:
    write_photographs(tmp_path / "frames", 1)
    requested = ["--output-dir", str(tmp_path / "out")]
    if "--input-dir" not in given:
        requested += ["--input-dir", str(tmp_path / "frames")]
    assert run(["reconstruct-windows", *requested, *given]) == 2
    assert reason in re.sub(r"\s+", " ", capsys.readouterr().err)
    assert not (tmp_path / "out/.maskflow").exists()
