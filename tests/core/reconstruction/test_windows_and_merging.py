"""Windows of photographs with known cameras, solved, aligned and merged."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from photographs import FOCAL, WIDTH, photographs, poses, write_photographs, write_reference
from PIL import Image
from solving import Solving, quiet

from core.errors import BadMedia
from core.formats.alignment_json import read_alignment
from core.formats.window_info import read_window_info
from core.geometry.colmap import pycolmap
from core.geometry.sim3 import Sim3
from core.reconstruction.bundle import adjust
from core.reconstruction.merge_item import merge_windows
from core.reconstruction.reference import align_with_reference
from core.reconstruction.report_item import report_reconstruction
from core.reconstruction.reversal import _reversed, better_reversed
from core.reconstruction.turning import _turn
from core.reconstruction.windowing import sliding_windows

pytestmark = pytest.mark.slow  # half a minute together
FRAMES, WINDOW, STRIDE = 12, 6, 3


@pytest.fixture(scope="module")
def solving(tmp_path_factory: pytest.TempPathFactory) -> Solving:
    folder = tmp_path_factory.mktemp("scene")
    made = Solving(write_photographs(folder / "images", FRAMES), folder / "work", WINDOW)
    for number, window in enumerate(sliding_windows(FRAMES, WINDOW, STRIDE)):
        made.solve(number, window)
    return made


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return write_reference(tmp_path / "reference.txt", FRAMES)


def _merge(solving: Solving, folder: Path, windows: list[int], **more: Any) -> dict[str, Any]:
    folder.mkdir()
    request = {
        "windows": [{"window": n, "folder": str(solving.folder / f"window{n}")} for n in windows],
        "failed": [],
        "frames": solving.frames,
        "matches": solving.matches,
        "camera": solving.camera,
        "settings": {},
        **more,
    }
    return merge_windows(request, folder, quiet)


def test_the_focal_length_comes_from_the_matches(solving: Solving) -> None:
    assert solving.calibrated["source"] == "estimated"
    assert solving.calibrated["focal"] == pytest.approx(FOCAL / WIDTH, rel=0.05)


def test_a_window_is_solved_and_documented(solving: Solving, reference: Path) -> None:
    folder = solving.folder / "window1"
    info = read_window_info(folder)
    assert info.registered == WINDOW
    assert info.first_frame == STRIDE
    assert info.mean_reproj_error_px is not None
    assert info.mean_reproj_error_px < 0.6
    names = [f"frame_{n}.png" for n in range(STRIDE, STRIDE + WINDOW)]
    lines = (folder / "window_info.txt").read_text().splitlines()
    assert lines == ["Window 1", f"Images: {WINDOW}", f"Points: {info.points}", *(f"  {name}" for name in names)]
    assert {path.name for path in (folder / "sparse").iterdir()} >= {
        "cameras.bin", "images.bin", "points3D.bin", "points.ply",
    }  # fmt: skip
    model = pycolmap.Reconstruction(folder / "sparse")
    assert sorted(image.name for image in model.images.values()) == sorted(names)
    assert model.num_points3D() == info.points > 200
    known = align_with_reference(model, reference)["reference"]
    assert known.images == WINDOW
    assert known.position_rmse < 0.03, "of 1.1 travelled"
    assert known.rotation_mean_deg < 1


def test_the_same_bytes_again(solving: Solving, tmp_path: Path) -> None:
    before = {p.name: p.read_bytes() for p in (solving.folder / "window0").rglob("*") if p.is_file()}
    made = Solving.__new__(Solving)
    made.__dict__ |= {**vars(solving), "folder": tmp_path}
    made.solve(0, range(WINDOW))
    assert {p.name: p.read_bytes() for p in (tmp_path / "window0").rglob("*") if p.is_file()} == before


def test_windows_become_one_model(solving: Solving, reference: Path, tmp_path: Path) -> None:
    record = _merge(solving, tmp_path / "one", [0, 1, 2], reference=str(reference))
    assert record["registered"] == FRAMES
    assert record["missing"] == []
    assert [one["status"] for one in record["windows"]] == ["aligned"] * 3
    assert record["reference"]["position_rmse"] < 0.03, "of 2.4 travelled"
    assert record["reference"]["rotation_mean_deg"] < 1
    model = pycolmap.Reconstruction(tmp_path / "one/sparse")
    assert model.num_reg_images() == FRAMES
    seen = [len({element.image_id for element in p.track.elements}) for p in model.points3D.values()]
    assert max(seen) > WINDOW, "tracks go on from window to window"
    reported = read_alignment(tmp_path / "one/alignment.json")
    assert {(pair.source, pair.target): pair.shared_frames for pair in reported.pairs} == {
        (0, 1): 3,
        (1, 2): 3,
        (0, 2): 0,
    }
    for one in reported.windows:
        assert one.merged_from_window is not None
        window = pycolmap.Reconstruction(solving.folder / f"window{one.window}/sparse")
        moved = Sim3.from_json(one.merged_from_window.model_dump())
        for image_id in window.reg_image_ids():
            (there,) = moved.apply(np.asarray(window.image(image_id).projection_center())[None])
            assert np.linalg.norm(there - model.image(image_id).projection_center()) < 0.05
    assert len(reported.frame_errors) == FRAMES
    again = _merge(solving, tmp_path / "two", [0, 1, 2], reference=str(reference))
    assert {**again, "seconds": 0} == {**record, "seconds": 0}
    for name in ("sparse/images.bin", "sparse/points3D.bin", "alignment.json"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_without_reference_the_frame_is_the_first_window_s(solving: Solving, tmp_path: Path) -> None:
    record = _merge(solving, tmp_path / "one", [1, 2])
    first = record["windows"][0]["merged_from_window"]
    assert "window 1" in record["frame"]
    assert first["scale"] == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(first["rotation"], np.eye(3), atol=1e-3)


def test_frames_of_a_failed_window_are_placed_when_merging(solving: Solving, tmp_path: Path) -> None:
    record = _merge(solving, tmp_path / "one", [0, 2], failed=[(1, "killed by a test")])
    assert record["registered"] == FRAMES
    statuses = {one["window"]: one["status"] for one in record["windows"]}
    assert statuses == {0: "aligned", 1: "failed", 2: "aligned"}
    alone = _merge(solving, tmp_path / "alone", [0])
    assert alone["added"] == [f"frame_{n}.png" for n in range(WINDOW, FRAMES)]


def test_a_window_with_a_wrong_scale_in_one_half_is_left_out(solving: Solving, tmp_path: Path) -> None:
    made = Solving.__new__(Solving)
    made.__dict__ |= {**vars(solving), "folder": tmp_path}
    for number in (0, 2):
        (tmp_path / f"window{number}").symlink_to(solving.folder / f"window{number}")
    model = pycolmap.Reconstruction(solving.folder / "window1/sparse")
    ids = sorted(model.reg_image_ids())
    late = {p for i in ids[3:] for p in (q.point3D_id for q in model.image(i).get_observation_points2D())}
    for image_id in ids[:3]:  # what both halves see is seen by the second alone
        image = model.image(image_id)
        for index in list(image.get_observation_point2D_idxs()):
            if image.point2D(index).point3D_id in late:
                model.delete_observation(image_id, index)
    for point_id in late & set(model.point3D_ids()):
        model.point3D(point_id).xyz = 1.6 * model.point3D(point_id).xyz
    (tmp_path / "window1").mkdir()
    (tmp_path / "window1/sparse").mkdir()
    model.write(tmp_path / "window1/sparse")
    record = _merge(made, tmp_path / "one", [0, 1, 2])
    statuses = {one["window"]: one["status"] for one in record["windows"]}
    assert statuses == {0: "aligned", 1: "rejected", 2: "aligned"}
    assert "not rigid" in record["windows"][1]["reason"]
    assert record["registered"] == FRAMES


def test_a_report_tells_it_all(solving: Solving, reference: Path, tmp_path: Path) -> None:
    _merge(solving, tmp_path / "merged", [0, 1, 2], reference=str(reference))
    request = {
        "title": "A <scene>",
        "backend": "colmap",
        "windows": [str(solving.folder / f"window{n}") for n in range(3)],
        "failed": [{"window": 3, "first_frame": 12, "names": ["x.png"], "reason": "no <b> parallax"}],
        "merged": str(tmp_path / "merged"),
        "facts": [("input", "images")],
        "failures": [("x.png", "unreadable")],
    }
    assert report_reconstruction(request, tmp_path, quiet)["recording"] is True
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 4
    assert "no &lt;b&gt; parallax" in page
    assert "12 of 12" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert (tmp_path / "merged.rrd").stat().st_size > 10_000


@pytest.fixture
def spoilt(tmp_path: Path) -> list[Path]:
    return write_photographs(tmp_path / "images", 6)


def _why(images: list[Path], folder: Path) -> str:
    with pytest.raises(BadMedia) as reported:
        Solving(images, folder / "work", 6).solve(0, range(len(images)))
    return str(reported.value)


def test_what_cannot_be_solved_is_told(spoilt: list[Path], tmp_path: Path) -> None:
    assert "one frame" in _why(spoilt[:1], tmp_path / "one")
    twice = [spoilt[0], tmp_path / "images/copy.png"]
    twice[1].write_bytes(spoilt[0].read_bytes())
    assert "the camera hardly moves, or only turns" in _why(twice, tmp_path / "twice")
    blank = [tmp_path / f"blank{n}.png" for n in range(4)]
    for path in blank:
        Image.fromarray(np.full((240, 320, 3), 90, np.uint8)).save(path)
    assert "no two of its 4 frames match: blank" in _why(blank, tmp_path / "blank")
    for path in spoilt:
        path.write_bytes(b"no image")
    assert "0 of 6 frames can be used; frame_0.png: frame_0.png: unreadable image" in _why(spoilt, tmp_path / "none")


def test_blank_frames_do_not_keep_two_others_from_a_model(spoilt: list[Path], tmp_path: Path) -> None:
    for path in (spoilt[1], spoilt[2], spoilt[3], spoilt[5]):
        Image.fromarray(np.full((240, 320, 3), 90, np.uint8)).save(path)
    info, _ = Solving(spoilt, tmp_path / "work", 6).solve(0, range(6))
    assert [frame["registered"] for frame in info["frames"]] == [True, False, False, False, True, False]
    assert info["points"] > 100


def test_one_bad_frame_costs_itself(spoilt: list[Path], tmp_path: Path) -> None:
    spoilt[2].write_bytes(b"no image")
    Image.fromarray(np.full((240, 320, 3), 90, np.uint8)).save(spoilt[4])
    info, _ = Solving(spoilt, tmp_path / "work", 6).solve(0, range(6))
    reasons = {frame["name"]: frame["reason"] for frame in info["frames"] if not frame["registered"]}
    assert set(reasons) == {"frame_2.png", "frame_4.png"}
    assert "unreadable" in reasons["frame_2.png"]
    assert "matches no other frame here: blank" in reasons["frame_4.png"]
    assert json.loads((tmp_path / "work/window0/window_info.json").read_text())["points"] == info["points"] > 100


@pytest.mark.parametrize("mapper", ["incremental", "global"])
def test_both_mappers(solving: Solving, reference: Path, tmp_path: Path, mapper: str) -> None:
    made = Solving.__new__(Solving)
    made.__dict__ |= {**vars(solving), "folder": tmp_path}
    info, folder = made.solve(0, range(WINDOW), mapper=mapper, bundle_adjustment=False)
    assert info["method"] == mapper
    known = align_with_reference(pycolmap.Reconstruction(folder / "sparse"), reference)["reference"]
    assert known.images == WINDOW
    assert known.position_rmse < 0.05


def test_a_reversed_model_is_put_right(tmp_path: Path) -> None:
    """A little motion, seen under a degree or two: the reversed reading is a minimum of its own, but a worse one."""
    images = write_photographs(tmp_path / "images", 6, step=0.05)
    made = Solving(images, tmp_path / "work", 6)
    made.camera["focal_px"] = FOCAL
    _, folder = made.solve(0, range(6))
    reference = write_reference(tmp_path / "reference.txt", 6, step=0.05)
    right = pycolmap.Reconstruction(folder / "sparse")
    assert better_reversed(right) is None
    wrong = _reversed(right)
    adjust(wrong)
    found = better_reversed(wrong)
    assert found is not None
    known, before = (align_with_reference(model, reference)["reference"] for model in (found, wrong))
    assert known.rotation_mean_deg < 3 < before.rotation_mean_deg


def test_photographs_are_what_they_claim() -> None:
    """The wall in the middle is where the truth says: projected corners are drawn there."""
    image = photographs(1)[0]
    rotation, position = poses(1)[0]
    corner = rotation.T @ (np.array([1.2 - 1.0, -0.6 - 1.1, 5.0]) - position)
    x, y = FOCAL * corner[:2] / corner[2] + [WIDTH / 2, image.shape[0] / 2]
    step = np.abs(image[int(y) + 4, int(x) - 4].astype(int) - image[int(y) + 4, int(x) + 4])
    assert step.sum() > 30


def _turned(
    folder: Path, count: int, step_deg: float, focal_px: float, noise: float = 0.0, size: tuple[int, int] = (320, 240)
) -> list[Path]:
    """Photographs of one far picture by a camera that only turns, about an axis that is not quite upright."""
    width, height = size
    folder.mkdir(parents=True)
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 255, (160, 240, 3)).astype(np.uint8)
    wide = (int(4.5 * width), 4 * height)
    far = cv2.resize(coarse, wide, interpolation=cv2.INTER_CUBIC)
    k = np.array([[focal_px, 0, width / 2], [0, focal_px, height / 2], [0, 0, 1]])
    k_far = np.array([[focal_px, 0, wide[0] / 2], [0, focal_px, wide[1] / 2], [0, 0, 1]])
    paths = []
    for number in range(count):
        angle = np.radians(step_deg * (number - count / 2))
        rotation = cv2.Rodrigues(np.array([0.15, 1.0, 0.05]) * angle)[0]
        image = cv2.warpPerspective(far, k @ rotation @ np.linalg.inv(k_far), size).astype(np.float64)
        image = np.clip(image + rng.normal(0, noise, image.shape), 0, 255) if noise else image
        paths.append(folder / f"f_{number}.png")
        Image.fromarray(image.astype(np.uint8)).save(paths[-1])
    return paths


@pytest.mark.parametrize(
    ("count", "step_deg", "focal_px", "noise", "size"),
    [
        (8, 2.0, 380, 0, (320, 240)),
        (6, 5.0, 300, 4, (320, 240)),
        (4, 1.0, 420, 0, (320, 240)),
        (2, 8.0, 1058, 2, (960, 720)),  # focal lengths that are not the guess
        (4, 5.0, 1058, 2, (960, 720)),
    ],
)
@pytest.mark.parametrize("bundle_adjustment", [True, False])
def test_a_camera_that_only_turns_gives_no_model(
    tmp_path: Path,
    count: int,
    step_deg: float,
    focal_px: float,
    noise: float,
    size: tuple[int, int],
    bundle_adjustment: bool,
) -> None:
    solving = Solving(_turned(tmp_path / "images", count, step_deg, focal_px, noise, size), tmp_path / "work", count)
    with pytest.raises(BadMedia, match="only turns"):
        solving.solve(0, range(count), bundle_adjustment=bundle_adjustment)


def test_few_near_things_before_a_far_background_are_parallax() -> None:
    rng = np.random.default_rng(1)
    far, near = rng.uniform(-400, 400, (350, 2)), rng.uniform(-400, 400, (150, 2))
    moved = np.vstack([np.add(far, (9, 0)), np.add(near, np.column_stack([rng.uniform(40, 160, 150), np.zeros(150)]))])
    turn = _turn(np.vstack([far, near]), moved + rng.normal(0, 0.1, moved.shape), 1000, 1.4)
    assert turn.surely_has_parallax
    assert not _turn(far, np.add(far, (9, 0)), 1e6, 1.4).has_parallax


def test_two_neighbouring_frames_with_parallax_are_a_model(tmp_path: Path) -> None:
    images = write_photographs(tmp_path / "images", 2)
    info, _ = Solving(images, tmp_path / "work", 2).solve(0, range(2))
    assert info["points"] > 100
    assert all(frame["registered"] for frame in info["frames"])
