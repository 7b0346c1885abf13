from pathlib import Path

import numpy as np
import pytest
from rgbd_clips import BOX, box_masks, unpacked, walls

from core.errors import BadMedia
from core.geometry.pinhole import project
from core.points.queries import depth_edges, queries_from_masks
from core.points.settings import QuerySettings

PIXELS = 60 * 90


def _settings(**given: object) -> QuerySettings:
    return QuerySettings.model_validate({"frames_before": 0, "frames_after": 0, **given})


def test_points_are_the_masks_pixels_row_by_row_with_their_frames(tmp_path: Path) -> None:
    arrays = walls(2, 6)
    clip = unpacked(tmp_path / "clip", arrays, box_masks(arrays))
    found = queries_from_masks(clip, "instance_0", _settings(frames_after=2))
    assert found.points.dtype == np.float32
    assert sorted(set(zip(found.cameras.tolist(), found.points[:, 0].tolist(), strict=True))) == [
        (camera, float(frame)) for camera in (0, 1) for frame in (0, 1, 2)
    ]
    for camera, frame in ((0, 0), (1, 2)):
        own = (found.cameras == camera) & (found.points[:, 0] == frame)
        xyz = found.points[own, 1:].astype(float)
        xy, depth = project(xyz, clip.intrinsics[camera, frame], clip.cam_from_world[camera, frame])
        at = np.rint(xy).astype(int)
        np.testing.assert_allclose(xy, at, atol=1e-3)
        np.testing.assert_allclose(depth, clip.depth(camera, frame)[at[:, 1], at[:, 0]], rtol=1e-5)
        assert (np.diff(at[:, 1] * 320 + at[:, 0]) > 0).all()
        assert clip.mask("instance_0", camera, frame)[at[:, 1], at[:, 0]].all()
    assert len(found.points) == found.dropped["pixels"] - found.dropped["at a depth edge"]
    assert found.dropped["pixels"] == 6 * PIXELS


def test_contact_frames_are_the_anchors_of_their_cameras(tmp_path: Path) -> None:
    arrays = walls(2, 6)
    masks = box_masks(arrays, ("a", "b"))
    clip = unpacked(tmp_path / "clip", arrays, masks, {"a": {"cam1": 4}})
    touched = queries_from_masks(clip, "a", _settings(frames_before=1, frames_after=10))
    assert set(touched.cameras.tolist()) == {1}
    assert sorted(set(touched.points[:, 0].tolist())) == [3, 4, 5]
    assert set(queries_from_masks(clip, "b", _settings(frames_after=1)).points[:, 0].tolist()) == {0, 1}
    first = queries_from_masks(clip, "a", _settings(frames_before=1, frames_after=10, use_first_frame=True))
    assert set(first.points[:, 0].tolist()) == {0}
    assert set(first.cameras.tolist()) == {0, 1}


@pytest.mark.parametrize(("stride", "frames"), [(2, [2, 4]), (3, [3]), (5, [0])])
def test_points_are_taken_from_frames_that_trackers_see(tmp_path: Path, stride: int, frames: list[int]) -> None:
    arrays = walls(1, 8)
    clip = unpacked(tmp_path / "clip", arrays, box_masks(arrays), {"instance_0": {"cam0": 3}})
    settings = _settings(frames_before=1, frames_after=1, temporal_stride=stride)
    assert sorted(set(queries_from_masks(clip, "instance_0", settings).points[:, 0].tolist())) == frames


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_masks_of_another_size_meet_depth_half_a_pixel_right(tmp_path: Path, scale: float) -> None:
    """Every point lies on the ray through its mask pixel's centre, corners of the images being the same."""
    arrays = walls(1, 1)
    height, width = round(240 * scale), round(320 * scale)
    mask = np.zeros((1, 1, height, width), bool)
    mask[0, 0, height // 2, width // 2], mask[0, 0, 0, 0] = True, True
    clip = unpacked(tmp_path / "clip", arrays, {"a": mask})
    points = queries_from_masks(clip, "a", _settings()).points
    xy, _ = project(points[:, 1:].astype(float), clip.intrinsics[0, 0], clip.cam_from_world[0, 0])
    wanted = (np.array([[0, 0], [width // 2, height // 2]]) + 0.5) / scale - 0.5
    np.testing.assert_allclose(xy, wanted, atol=1e-3)


def test_edges_of_depth_are_left_out_and_slanted_surfaces_are_not() -> None:
    columns = np.arange(40, dtype=np.float32)
    step = np.tile(np.where(columns < 20, 2.0, 2.5).astype(np.float32), (10, 1))
    assert np.flatnonzero(depth_edges(step, 300.0)[5]).tolist() == [19, 20]
    slanted = np.tile(2 + columns * 2 / 300 * np.float32(np.tan(np.radians(75))), (10, 1)).astype(np.float32)
    assert not depth_edges(slanted, 300.0)[:, 2:-2].any()
    holes = step.copy()
    holes[:, ::3] = 0
    assert not depth_edges(holes[:, :19], 300.0).any()


def test_range_and_unknown_depth(tmp_path: Path) -> None:
    arrays = walls(1, 1)
    depths = arrays["depths"].copy()
    depths[0, 0, 0, BOX[0].start : BOX[0].start + 5] = 0
    clip = unpacked(tmp_path / "clip", {**arrays, "depths": depths}, box_masks(arrays))
    found = queries_from_masks(clip, "instance_0", _settings(min_depth_m=5.5, max_depth_m=8.0))
    _, depth = project(found.points[:, 1:].astype(float), clip.intrinsics[0, 0], clip.cam_from_world[0, 0])
    assert depth.min() > 5.5
    assert depth.max() < 8.0
    assert found.dropped["without depth"] == 5 * 90
    assert found.dropped["out of range"] > 0


def test_a_draw_is_the_same_for_the_same_seed_whatever_else_is_drawn(tmp_path: Path) -> None:
    arrays = walls(1, 6)
    clip = unpacked(tmp_path / "clip", arrays, box_masks(arrays, ("a", "b")))
    few = _settings(max_points_per_frame=50, frames_after=1)
    more = _settings(max_points_per_frame=50, frames_after=4)
    one, other = queries_from_masks(clip, "a", few).points, queries_from_masks(clip, "a", more).points
    np.testing.assert_array_equal(one, other[: len(one)])
    assert len(one) == 100
    third = queries_from_masks(clip, "a", _settings(max_points_per_frame=50, frames_after=1, seed=1)).points
    assert (third[:, 1:] != one[:, 1:]).any()


def test_a_mask_that_is_empty_where_points_are_taken_is_told(tmp_path: Path) -> None:
    arrays = walls(1, 3)
    mask = box_masks(arrays)["instance_0"].copy()
    mask[:, :2] = False
    clip = unpacked(tmp_path / "clip", arrays, {"a": mask})
    with pytest.raises(BadMedia, match="in the frames that points are taken from; leave out --use-first-frame"):
        queries_from_masks(clip, "a", _settings(use_first_frame=True))
    with pytest.raises(BadMedia, match="more --frames-before or --frames-after"):
        queries_from_masks(clip, "a", _settings(frames_after=1))


@pytest.mark.parametrize(
    ("mask", "depth", "reported"),
    [
        (False, 1.0, "its mask is empty in all frames"),
        (True, 0.0, "none of the mask's 5,400 pixels can be lifted: 5,400 without depth"),
        (True, 50.0, "can be lifted: 5,400 out of range"),
    ],
)
def test_no_point_at_all_is_told_with_its_reason(tmp_path: Path, mask: bool, depth: float, reported: str) -> None:
    arrays = walls(1, 2)
    masks = {name: value & mask for name, value in box_masks(arrays).items()}
    depths = np.full_like(arrays["depths"], depth)
    clip = unpacked(tmp_path / "clip", {**arrays, "depths": depths}, masks)
    with pytest.raises(BadMedia, match=reported):
        queries_from_masks(clip, "instance_0", _settings(use_first_frame=True))
