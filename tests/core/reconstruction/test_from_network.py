"""Windows from a network's geometry, here the truth in a scale of its own: exported, adjusted, fallen back, merged."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photographs import depth_map, photographs, poses, write_photographs, write_reference
from solving import quiet

from core.errors import BadMedia
from core.formats.window_info import read_window_info
from core.geometry.colmap import pycolmap
from core.models.roles import WindowGeometry, WindowTracks
from core.models.vggt.square import Square, make_square
from core.reconstruction import vggt_window_item
from core.reconstruction.from_network import Window, model_from_depth, track_inliers
from core.reconstruction.merge_item import merge_windows
from core.reconstruction.reference import align_with_reference
from core.reconstruction.settings import FrameRequest, VggtSettings
from core.reconstruction.vggt_predict_item import write_geometry
from core.reconstruction.vggt_window_item import check_geometry, solve_vggt_window
from core.reconstruction.window_tracks import match_points

SIDE = 518
SQUARE = Square(320, 240)


def _geometry(frames: Sequence[int], scale: float) -> WindowGeometry:
    """The truth of these photographs, relative to the first, all lengths times `scale`."""
    known = poses(max(frames) + 1)
    first_rotation, first_position = known[frames[0]]
    unit = SIDE / SQUARE.longer
    k = np.array([[300 * unit, 0, SIDE / 2], [0, 300 * unit, SIDE / 2], [0, 0, 1]])
    cam_from_world, depths = [], []
    for frame in frames:
        rotation, position = known[frame]
        relative = first_rotation.T @ rotation
        centre = scale * first_rotation.T @ (position - first_position)
        cam_from_world.append(np.column_stack([relative.T, -relative.T @ centre]))
        depths.append(scale * depth_map(rotation, position, SIDE, SIDE, k))
    confidence = np.full((len(frames), SIDE, SIDE), 6.0)
    return WindowGeometry(
        np.array(cam_from_world, np.float32),
        np.tile(k, (len(frames), 1, 1)).astype(np.float32),
        np.array(depths, np.float32),
        confidence.astype(np.float32),
    )


class Tracker:
    """Follows pixels of the first frame through all by the truth, to within half a pixel."""

    def __init__(self, lost: int | None = None, points: int = 400) -> None:
        self._lost, self.points = lost, points

    def track(self, window: Any, geometry: WindowGeometry, *_: object) -> WindowTracks:
        rng = np.random.default_rng(0)
        at = np.column_stack([rng.integers(20, SIDE - 20, self.points), rng.integers(90, SIDE - 90, self.points)])
        xyz = geometry.world_points()[0, at[:, 1], at[:, 0]].astype(float)
        seen = np.einsum("sij,pj->spi", geometry.cam_from_world[:, :, :3], xyz) + geometry.cam_from_world[:, None, :, 3]
        k = geometry.intrinsics * (1024 / SIDE)
        xy = seen[..., :2] / seen[..., 2:] * k[:, None, [0, 1], [0, 1]] + k[:, None, :2, 2] - 0.5
        xy += rng.normal(0, 0.3, xy.shape)
        visible = np.ones(xy.shape[:2])
        if self._lost is not None:
            visible[self._lost] = 0
        return WindowTracks(xy, visible, xyz, np.full((self.points, 3), 200, np.uint8))


def _matches_nothing() -> Tracker:
    """Between frames of which no feature is found again."""
    return Tracker(points=0)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_photographs(tmp_path_factory.mktemp("network"), 6)


def _frames(numbers: Sequence[int]) -> list[dict[str, Any]]:
    return [
        {"number": n, "name": f"frame_{n}.png", "features": None, "width": 320, "height": 240, "reason": None}
        for n in numbers
    ]


def _solve(
    folder: Path,
    images: list[Path],
    numbers: Sequence[int],
    scale: float,
    tracker: Tracker,
    monkeypatch: Any,
    **more: Any,
) -> dict[str, Any]:
    monkeypatch.setattr(vggt_window_item, "match_points", tracker.track)
    folder.mkdir()
    write_geometry(folder / "geometry.npz", _geometry(numbers, scale))
    request = {
        "window": int(folder.name[-1]),
        "frames": _frames(numbers),
        "images": [str(images[n]) for n in numbers],
        "geometry": str(folder / "geometry.npz"),
        "camera": {"model": "SIMPLE_PINHOLE", "shared": True, "focal": 1.2},
        "settings": {},
        "vggt": {},
        **more,
    }
    return solve_vggt_window(request, folder, quiet)


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return write_reference(tmp_path / "reference.txt", 6)


def test_bundle_adjustment_from_tracks(images: list[Path], reference: Path, tmp_path: Path, monkeypatch: Any) -> None:
    info = _solve(tmp_path / "w0", images, range(4), 0.3, Tracker(), monkeypatch)
    assert info["method"] == "bundle adjustment"
    assert info["mean_reproj_error_px"] < 0.3, "in pixels of the source: a third of those tracked on"
    model = pycolmap.Reconstruction(tmp_path / "w0/sparse")
    assert {image.name for image in model.images.values()} == {f"frame_{n}.png" for n in range(4)}
    (camera,) = model.cameras.values()
    assert (camera.width, camera.height) == (320, 240)
    assert camera.params[0] == pytest.approx(300, rel=0.03)
    assert list(camera.params[1:]) == [160, 120]
    known = align_with_reference(model, reference)["reference"]
    assert known.position_rmse < 0.02
    assert read_window_info(tmp_path / "w0").registered == 4


def test_a_bad_frame_is_left_out(images: list[Path], tmp_path: Path, monkeypatch: Any) -> None:
    info = _solve(tmp_path / "w0", images, range(4), 1.0, Tracker(lost=2), monkeypatch)
    assert info["method"] == "bundle adjustment without 1 frame"
    reasons = {frame["name"]: frame["reason"] for frame in info["frames"] if not frame["registered"]}
    assert reasons == {"frame_2.png": "fewer than 64 inlier points"}


@pytest.mark.slow
def test_features_are_matched_without_any_network(images: list[Path]) -> None:
    geometry, squares = _geometry(range(4), 1.0), [make_square(image) for image in photographs(4)]
    tracks = match_points(squares, geometry, VggtSettings(query_frame_num=2, max_query_pts=1000))
    window = Window([FrameRequest.model_validate(one) for one in _frames(range(4))], geometry)
    inliers = track_inliers(window, tracks, 0.2, 4.0)
    assert inliers.sum(1).min() > 64
    assert inliers.sum() > 0.7 * tracks.visibility.sum(), "most matches agree with the truth"


@pytest.mark.slow
def test_feed_forward_where_nothing_else_will_do(
    images: list[Path], reference: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    info = _solve(tmp_path / "w0", images, range(4), 2.0, Tracker(points=30), monkeypatch)
    assert info["method"] == "feed-forward"
    assert "4 of 4 frames have under 64 inliers" in info["notes"][0]
    assert info["points"] == 100_000
    assert info["mean_reproj_error_px"] < 0.01, "pixels are exported where they were"
    known = align_with_reference(pycolmap.Reconstruction(tmp_path / "w0/sparse"), reference)["reference"]
    assert known.position_rmse < 1e-3


@pytest.mark.slow
def test_without_bundle_adjustment_nothing_is_tracked(images: list[Path], tmp_path: Path, monkeypatch: Any) -> None:
    settings = {"bundle_adjustment": False}
    info = _solve(tmp_path / "w0", images, range(2), 1.0, _matches_nothing(), monkeypatch, settings=settings)
    assert info["method"] == "feed-forward"
    assert info["notes"] == []


def test_a_threshold_that_nothing_reaches_is_lowered_and_told() -> None:
    frames = [FrameRequest.model_validate(one) for one in _frames([0])]
    geometry = _geometry([0], 1.0)
    small = [make_square(photographs(1)[0], SIDE)]
    model, notes = model_from_depth(Window(frames, geometry), small, 50.0)
    assert model.num_points3D() > 1000
    assert "hardly a pixel has a confidence of 50" in notes[0]


def test_inliers_are_visible_near_and_in_front() -> None:
    frames = [FrameRequest.model_validate(one) for one in _frames([0, 1])]
    geometry = _geometry([0, 1], 1.0)
    tracks = Tracker().track(None, geometry)
    window = Window(frames, geometry)
    assert track_inliers(window, tracks, 0.2, 8.0).all()
    tracks.xy[1, :10] += 20
    tracks.visibility[0, 5:15] = 0.1
    tracks.xyz[20] *= -1
    found = track_inliers(window, tracks, 0.2, 8.0)
    assert not found[1, :10].any()
    assert not found[0, 5:15].any()
    assert not found[:, 20].any()
    assert found[:, 21:].all()


@pytest.mark.slow
@pytest.mark.parametrize("trackers", [(Tracker(), Tracker()), (Tracker(), _matches_nothing())])
def test_windows_of_different_scale_merge(
    images: list[Path], reference: Path, tmp_path: Path, monkeypatch: Any, trackers: tuple[Tracker, Tracker]
) -> None:
    _solve(tmp_path / "w0", images, range(4), 0.5, trackers[0], monkeypatch)
    _solve(tmp_path / "w1", images, range(2, 6), 3.0, trackers[1], monkeypatch)
    folder = tmp_path / "merged"
    folder.mkdir()
    request = {
        "windows": [{"window": n, "folder": str(tmp_path / f"w{n}")} for n in range(2)],
        "failed": [],
        "frames": _frames(range(6)),
        "matches": [],
        "camera": {"model": "SIMPLE_PINHOLE", "shared": True, "focal": 1.2},
        "settings": {},
        "reference": str(reference),
    }
    record = merge_windows(request, folder, quiet)
    assert record["registered"] == 6
    assert [one["status"] for one in record["windows"]] == ["aligned", "aligned"]
    assert record["points"] > 300
    assert record["reference"]["position_rmse"] < 0.03
    mixed = trackers[1].points == 0
    assert [note[:33] for note in record["notes"]] == (["the merged model was not adjusted"] if mixed else [])
    scales = [one["merged_from_window"]["scale"] for one in record["windows"]]
    if trackers[0].points == 0:
        assert scales == pytest.approx([1 / 0.5, 1 / 3.0], rel=0.02)


def test_an_answer_that_is_no_number_is_refused() -> None:
    geometry = _geometry([0], 1.0)
    geometry.intrinsics[0, 0, 0] = np.inf
    with pytest.raises(BadMedia, match="not finite"):
        check_geometry(geometry)
